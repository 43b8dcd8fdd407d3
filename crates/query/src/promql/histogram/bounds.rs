//! Where exponential buckets end between two powers of two.
//!
//! Mathematically bound `i` is 2^(i/256). Prometheus compares and prints bounds as the floats of a table, which are up
//! to two units in the last place off; so that bounds, labels and answers are the same bits everywhere, these are the
//! same floats, as the 52 bits of their mantissas.

/// Mantissas of 2^(i/256); coarser schemas use every 2nd, 4th, ... of them.
const MANTISSAS: [u64; 256] = [
    0x0_0000_0000_0000, 0x0_0b1a_fa5a_bcbf, 0x0_163d_a9fb_3335, 0x0_2168_143b_0281, 0x0_2c9a_3e77_8061,
    0x0_37d4_2e11_bbcc, 0x0_4315_e86e_7f84, 0x0_4e5f_72f6_54b1, 0x0_59b0_d315_8574, 0x0_650a_0e3c_1f89,
    0x0_706b_29dd_f6dd, 0x0_7bd4_2b72_a836, 0x0_8745_1875_9bc8, 0x0_92bd_f666_07e0, 0x0_9e3e_cac6_f383,
    0x0_a9c7_9b1f_3919, 0x0_b558_6cf9_890f, 0x0_c0f1_45e4_6c85, 0x0_cc92_2b72_47f6, 0x0_d83b_2339_5dea,
    0x0_e3ec_32d3_d1a2, 0x0_efa5_5fdf_a9c5, 0x0_fb66_affe_d31a, 0x1_0730_28d7_233d, 0x1_1301_d012_5b50,
    0x1_1edb_ab5e_2ab5, 0x1_2abd_c06c_31cb, 0x1_36a8_14f2_04aa, 0x1_429a_aea9_2ddf, 0x1_4e95_934f_312d,
    0x1_5a98_c8a5_8e50, 0x1_66a4_5471_c3c1, 0x1_72b8_3c7d_517b, 0x1_7ed4_8695_bbc0, 0x1_8af9_388c_8de9,
    0x1_9726_5837_5d2f, 0x1_a35b_eb6f_cb75, 0x1_af99_f813_8a1c, 0x1_bbe0_8404_5cd3, 0x1_c82f_9528_1c6b,
    0x1_d487_3168_b9aa, 0x1_e0e7_5eb4_4026, 0x1_ed50_22fc_d91c, 0x1_f9c1_8438_ce4c, 0x2_063b_8862_8cd6,
    0x2_12be_3578_a819, 0x2_1f49_917d_dc95, 0x2_2bdd_a279_12d0, 0x2_387a_6e75_6238, 0x2_451f_fb82_140a,
    0x2_51ce_4fb2_a63e, 0x2_5e85_711e_ce74, 0x2_6b45_65e2_7cdd, 0x2_780e_341d_df2a, 0x2_84df_e1f5_6380,
    0x2_91ba_7591_bb6f, 0x2_9e9d_f51f_dee1, 0x2_ab8a_66d1_0f13, 0x2_b87f_d0da_d98f, 0x2_c57e_3977_1b2e,
    0x2_d285_a6e4_030b, 0x2_df96_1f64_1589, 0x2_ecaf_a93e_2f55, 0x2_f9d2_4abd_886a, 0x3_06fe_0a31_b715,
    0x3_1432_edee_b2fd, 0x3_2170_fc4c_d831, 0x3_2eb8_3ba8_ea32, 0x3_3c08_b264_16ff, 0x3_4962_66e3_fa2d,
    0x3_56c5_5f92_9ff0, 0x3_6431_a2de_883a, 0x3_71a7_373a_a9ca, 0x3_7f26_231e_7549, 0x3_8cae_6d05_d864,
    0x3_9a40_1b71_40ed, 0x3_a7db_34e5_9ff6, 0x3_b57f_bfec_6cf4, 0x3_c32d_c313_a8e3, 0x3_d0e5_44ed_e172,
    0x3_dea6_4c12_3422, 0x3_ec70_df1c_5175, 0x3_fa45_04ac_801b, 0x4_0822_c367_a024, 0x4_160a_21f7_2e2a,
    0x4_23fb_2709_468a, 0x4_31f5_d950_a896, 0x4_3ffa_3f84_b9d4, 0x4_4e08_6061_892d, 0x4_5c20_42a7_d232,
    0x4_6a41_ed1d_0057, 0x4_786d_668b_3236, 0x4_86a2_b5c1_3cd0, 0x4_94e1_e192_aed2, 0x4_a32a_f0d7_d3de,
    0x4_b17d_ea6d_b7d7, 0x4_bfda_d536_2a27, 0x4_ce41_b817_c114, 0x4_dcb2_99fd_dd0d, 0x4_eb2d_81d8_abfe,
    0x4_f9b2_769d_2ca7, 0x5_0841_7f45_31ef, 0x5_16da_a2cf_6642, 0x5_257d_e83f_4eef, 0x5_342b_569d_4f81,
    0x5_42e2_f4f6_ad27, 0x5_51a4_ca5d_920d, 0x5_6070_dde9_10d0, 0x5_6f47_36b5_27da, 0x5_7e27_dbe2_c4cf,
    0x5_8d12_d497_c7fc, 0x5_9c08_27ff_07cb, 0x5_ab07_dd48_5429, 0x5_ba11_fba8_7a02, 0x5_c926_8a59_46b6,
    0x5_d845_9099_8b92, 0x5_e76f_15ad_2148, 0x5_f6a3_20dc_eb71, 0x6_05e1_b976_dc08, 0x6_152a_e6cd_f6f4,
    0x6_247e_b03a_5584, 0x6_33dd_1d19_29fd, 0x6_4346_34cc_c31e, 0x6_52b9_febc_8fb5, 0x6_6238_8255_2224,
    0x6_71c1_c708_33f5, 0x6_8155_d44c_a972, 0x6_90f4_b19e_9537, 0x6_a09e_667f_3bcc, 0x6_b052_fa75_173e,
    0x6_c012_750b_dabe, 0x6_cfdc_ddd4_7645, 0x6_dfb2_3c65_1a2e, 0x6_ef92_9859_3ae4, 0x6_ff7d_f951_9482,
    0x7_0f74_66f4_2e85, 0x7_1f75_e8ec_5f73, 0x7_2f82_86ea_d089, 0x7_3f9a_48a5_8172, 0x7_4fbd_35d7_cbfc,
    0x7_5feb_5642_67c8, 0x7_7024_b1ab_6e09, 0x7_8069_4fde_5d3e, 0x7_90b9_38ac_1cf5, 0x7_a114_73eb_0186,
    0x7_b17b_0976_cfda, 0x7_c1ed_0130_c131, 0x7_d26a_62ff_86ef, 0x7_e2f3_36cf_4e61, 0x7_f387_8491_c490,
    0x8_0427_543e_1a10, 0x8_14d2_add1_06d8, 0x8_2589_994c_ce11, 0x8_364c_1eb9_41f6, 0x8_471a_4623_c7ab,
    0x8_57f4_179f_5b1f, 0x8_68d9_9b44_92eb, 0x8_79ca_d931_a435, 0x8_8ac7_d98a_6697, 0x8_9bd0_a478_580d,
    0x8_ace5_422a_a0db, 0x8_be05_bad6_1778, 0x8_cf32_16b5_448b, 0x8_e06a_5e08_66d8, 0x8_f1ae_9915_7736,
    0x9_02fe_d028_2c8a, 0x9_145b_0b91_ffc5, 0x9_25c3_53aa_2fe2, 0x9_3737_b0cd_c5e4, 0x9_48b8_2b5f_98e4,
    0x9_5a44_cbc8_520d, 0x9_6bdd_9a76_70b1, 0x9_7d82_9fde_4e4f, 0x9_8f33_e47a_22a2, 0x9_a0f1_70ca_07b8,
    0x9_b2bb_4d53_fe0b, 0x9_c491_82a3_f08f, 0x9_d674_194b_b8d4, 0x9_e863_19e3_2321, 0x9_fa5e_8d07_f29c,
    0xa_0c66_7b5d_e564, 0xa_1e7a_ed8e_b8bb, 0xa_309b_ec4a_2d32, 0xa_42c9_8046_0ad7, 0xa_5503_b23e_255b,
    0xa_674a_8af4_6051, 0xa_799e_1330_b356, 0xa_8bfe_53c1_2e57, 0xa_9e6b_5579_fdbe, 0xa_b0e5_2135_6eb9,
    0xa_c36b_bfd3_f378, 0xa_d5ff_3a3c_2773, 0xa_e89f_995a_d3ac, 0xa_fb4c_e622_f2fe, 0xb_0e07_298d_b663,
    0xb_20ce_6c9a_8950, 0xb_33a2_b84f_15fa, 0xb_4684_15b7_49b0, 0xb_5972_8de5_5938, 0xb_6c6e_29f1_c529,
    0xb_7f76_f2fb_5e45, 0xb_928c_f227_49e2, 0xb_a5b0_30a1_0647, 0xb_b8e0_b79a_6f1d, 0xb_cc1e_904b_c1d0,
    0xb_df69_c3f3_a205, 0xb_f2c2_5bd7_1e06, 0xc_0628_6141_b33b, 0xc_199b_dd85_529a, 0xc_2d1c_d9fa_652a,
    0xc_40ab_5fff_d078, 0xc_5447_78fa_fb20, 0xc_67f1_2e57_d149, 0xc_7ba8_8988_c931, 0xc_8f6d_9406_e7b2,
    0xc_a340_5751_c4d8, 0xc_b720_dcef_9066, 0xc_cb0f_2e6d_1672, 0xc_df0b_555d_c3f6, 0xc_f315_5b5b_ab70,
    0xd_072d_4a07_8979, 0xd_1b53_2b08_c966, 0xd_2f87_080d_89ee, 0xd_43c8_eaca_a1d3, 0xd_5818_dcfb_a486,
    0xd_6c76_e862_e6d2, 0xd_80e3_16c9_8396, 0xd_955d_71ff_6074, 0xd_a9e6_03db_3284, 0xd_be7c_d63a_8313,
    0xd_d321_f301_b45e, 0xd_e7d5_641c_0656, 0xd_fc97_337b_9b5d, 0xe_1167_6b19_7d16, 0xe_2646_14f5_a126,
    0xe_3b33_3b16_ee0f, 0xe_502e_e78b_3ff5, 0xe_6539_2467_6d75, 0xe_7a51_fbc7_4c81, 0xe_8f79_77cd_b73e,
    0xe_a4af_a2a4_90d8, 0xe_b9f4_867c_ca6d, 0xe_cf48_2d8e_67ee, 0xe_e4aa_a218_850e, 0xe_fa1b_ee61_5a26,
    0xf_0f9c_1cb6_4129, 0xf_252b_376b_ba95, 0xf_3ac9_48dd_7272, 0xf_5076_5b6e_453e, 0xf_6632_7988_44f6,
    0xf_7bfd_ad9c_be10, 0xf_91d8_0224_3c86, 0xf_a7c1_819e_90d6, 0xf_bdba_3692_d512, 0xf_d3c2_2b8f_71ee,
    0xf_e9d9_6b2a_23d6,
];

/// Finest schema of the table.
const FINEST: i32 = 8;

/// 2^(`part` / 2^`schema`) for a schema from 0 to 8 and `part` below 2^`schema`; 1 for anything else.
pub(crate) fn between_powers(part: i64, schema: i32) -> f64 {
    const ONE: u64 = 1023 << 52;
    let stride = u32::try_from(FINEST - schema).ok();
    let at = stride.and_then(|stride| usize::try_from(part.checked_shl(stride)?).ok());
    f64::from_bits(ONE | at.and_then(|at| MANTISSAS.get(at)).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_within_two_units_of_the_last_place() {
        for part in 0..256_i32 {
            let exact = (f64::from(part) / 256.0).exp2();
            let found = between_powers(i64::from(part), 8);
            assert!((found / exact - 1.0).abs() < 4.0 * f64::EPSILON, "{part}: {found}, {exact}");
        }
        assert_eq!(between_powers(1, 1).to_bits(), between_powers(128, 8).to_bits());
    }
}
