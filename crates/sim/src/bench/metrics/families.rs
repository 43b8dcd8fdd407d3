//! The 523 series that one host shows: names and labels as node exporter writes them, and how each value moves.

/// How a series' value moves from scrape to scrape.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// It does not.
    Still(f64),
    /// Grows at every scrape by about this much, in units of `1.0 / per_unit`.
    Counter { step: f64, per_unit: f64 },
    /// Grows by one at this share of the scrapes.
    Rare { chance: f64 },
    /// Walks around `middle` by at most `swing`, in units of `1.0 / per_unit`.
    Gauge { middle: f64, swing: f64, per_unit: f64 },
    /// Measured anew at every scrape, every digit of it.
    Noise { middle: f64 },
}

/// A label and its values, separated by spaces.
type Label = (&'static str, &'static str);

/// Names (separated by spaces) that have the same labels and move alike.
pub(super) type Family = (&'static str, &'static [Label], Kind);

const CPU: Label = ("cpu", "0 1 2 3 4 5 6 7");
const DEVICE: Label = ("device", "eth0 eth1 docker0 lo");
const DISK: Label = ("device", "sda sdb nvme0n1");
const MOUNT: Label = ("mountpoint", "/ /boot /home /var /var/lib/docker /srv");
const FILE_SYSTEM: Label = ("fstype", "ext4");
const COLLECTOR: Label =
    ("collector", "cpu diskstats filesystem loadavg meminfo netdev netstat schedstat stat vmstat");

const GIB: f64 = 1_073_741_824.0;
const PAGES: f64 = 1.0 / 4096.0;

const fn counter(step: f64) -> Kind {
    Kind::Counter { step, per_unit: 1.0 }
}

const fn gauge(middle: f64, swing: f64) -> Kind {
    Kind::Gauge { middle, swing, per_unit: 1.0 }
}

const fn memory(middle: f64) -> Kind {
    Kind::Gauge { middle: middle * GIB, swing: middle * GIB / 4.0, per_unit: PAGES }
}

/// Every family, as the exporter's collectors stand in its answer.
pub(super) const FAMILIES: &[Family] = &[
    (
        "node_cpu_seconds_total",
        &[CPU, ("mode", "idle user system")],
        Kind::Counter { step: 4.0, per_unit: 100.0 },
    ),
    (
        "node_cpu_seconds_total",
        &[CPU, ("mode", "iowait softirq")],
        Kind::Counter { step: 0.02, per_unit: 100.0 },
    ),
    ("node_cpu_seconds_total", &[CPU, ("mode", "irq nice steal")], Kind::Still(0.0)),
    ("node_cpu_guest_seconds_total", &[CPU, ("mode", "nice user")], Kind::Still(0.0)),
    (
        "node_schedstat_running_seconds_total node_schedstat_waiting_seconds_total",
        &[CPU],
        Kind::Counter { step: 3.0, per_unit: 1e9 },
    ),
    ("node_schedstat_timeslices_total node_softnet_processed_total", &[CPU], counter(4_000.0)),
    ("node_softnet_dropped_total", &[CPU], Kind::Still(0.0)),
    ("node_softnet_times_squeezed_total", &[CPU], Kind::Rare { chance: 0.02 }),
    ("node_network_receive_bytes_total node_network_transmit_bytes_total", &[DEVICE], counter(2_000_000.0)),
    ("node_network_receive_packets_total node_network_transmit_packets_total", &[DEVICE], counter(3_000.0)),
    (
        "node_network_receive_drop_total node_network_receive_multicast_total",
        &[DEVICE],
        Kind::Rare { chance: 0.1 },
    ),
    (
        "node_network_receive_errs_total node_network_receive_fifo_total node_network_receive_frame_total \
         node_network_receive_compressed_total node_network_receive_nohandler_total node_network_transmit_errs_total \
         node_network_transmit_drop_total node_network_transmit_fifo_total node_network_transmit_colls_total \
         node_network_transmit_carrier_total node_network_transmit_compressed_total node_network_device_id \
         node_network_dormant node_network_iface_link_mode node_network_name_assign_type node_network_net_dev_group",
        &[DEVICE],
        Kind::Still(0.0),
    ),
    (
        "node_network_address_assign_type node_network_carrier node_network_carrier_changes_total \
         node_network_carrier_down_changes_total node_network_carrier_up_changes_total node_network_iface_id \
         node_network_iface_link node_network_info node_network_protocol_type node_network_up",
        &[DEVICE],
        Kind::Still(1.0),
    ),
    ("node_network_flags node_network_speed_bytes", &[DEVICE], Kind::Still(125_000_000.0)),
    ("node_network_mtu_bytes node_network_transmit_queue_length", &[DEVICE], Kind::Still(1500.0)),
    ("node_disk_reads_completed_total node_disk_reads_merged_total", &[DISK], Kind::Rare { chance: 0.3 }),
    ("node_disk_writes_completed_total node_disk_writes_merged_total", &[DISK], counter(120.0)),
    (
        "node_disk_read_bytes_total node_disk_written_bytes_total",
        &[DISK],
        Kind::Counter { step: 900_000.0, per_unit: PAGES },
    ),
    (
        "node_disk_read_time_seconds_total node_disk_write_time_seconds_total node_disk_io_time_seconds_total \
         node_disk_io_time_weighted_seconds_total",
        &[DISK],
        Kind::Counter { step: 0.4, per_unit: 1000.0 },
    ),
    ("node_disk_io_now", &[DISK], Kind::Gauge { middle: 0.5, swing: 1.5, per_unit: 1.0 }),
    (
        "node_disk_discards_completed_total node_disk_discards_merged_total node_disk_discarded_sectors_total \
         node_disk_discard_time_seconds_total node_disk_flush_requests_total \
         node_disk_flush_requests_time_seconds_total node_disk_info",
        &[DISK],
        Kind::Still(0.0),
    ),
    (
        "node_filesystem_avail_bytes node_filesystem_free_bytes",
        &[MOUNT, FILE_SYSTEM],
        Kind::Gauge { middle: 40.0 * GIB, swing: GIB, per_unit: PAGES },
    ),
    ("node_filesystem_files_free", &[MOUNT, FILE_SYSTEM], gauge(3_000_000.0, 2_000.0)),
    (
        "node_filesystem_size_bytes node_filesystem_files",
        &[MOUNT, FILE_SYSTEM],
        Kind::Still(105_089_261_568.0),
    ),
    ("node_filesystem_readonly node_filesystem_device_error", &[MOUNT, FILE_SYSTEM], Kind::Still(0.0)),
    (
        "node_memory_MemFree_bytes node_memory_MemAvailable_bytes node_memory_Cached_bytes node_memory_Active_bytes \
         node_memory_Inactive_bytes node_memory_Active_anon_bytes node_memory_Inactive_file_bytes \
         node_memory_Active_file_bytes node_memory_AnonPages_bytes node_memory_Committed_AS_bytes",
        &[],
        memory(6.0),
    ),
    (
        "node_memory_Buffers_bytes node_memory_Dirty_bytes node_memory_Writeback_bytes node_memory_Mapped_bytes \
         node_memory_Shmem_bytes node_memory_Slab_bytes node_memory_SReclaimable_bytes node_memory_SUnreclaim_bytes \
         node_memory_KernelStack_bytes node_memory_PageTables_bytes node_memory_KReclaimable_bytes \
         node_memory_Percpu_bytes node_memory_Inactive_anon_bytes node_memory_VmallocUsed_bytes",
        &[],
        memory(0.3),
    ),
    (
        "node_memory_MemTotal_bytes node_memory_SwapTotal_bytes node_memory_CommitLimit_bytes \
         node_memory_VmallocTotal_bytes node_memory_DirectMap1G_bytes node_memory_DirectMap2M_bytes \
         node_memory_DirectMap4k_bytes node_memory_Hugepagesize_bytes",
        &[],
        Kind::Still(16_777_216_000.0),
    ),
    (
        "node_memory_SwapFree_bytes node_memory_SwapCached_bytes node_memory_Unevictable_bytes \
         node_memory_Mlocked_bytes node_memory_NFS_Unstable_bytes node_memory_Bounce_bytes \
         node_memory_WritebackTmp_bytes node_memory_VmallocChunk_bytes node_memory_HardwareCorrupted_bytes \
         node_memory_AnonHugePages_bytes node_memory_ShmemHugePages_bytes node_memory_ShmemPmdMapped_bytes \
         node_memory_FileHugePages_bytes node_memory_FilePmdMapped_bytes node_memory_HugePages_Total \
         node_memory_HugePages_Free node_memory_HugePages_Rsvd node_memory_HugePages_Surp",
        &[],
        Kind::Still(0.0),
    ),
    (
        "node_netstat_Ip_Forwarding node_netstat_Icmp_InErrors node_netstat_Icmp6_InErrors \
         node_netstat_TcpExt_ListenOverflows node_netstat_TcpExt_ListenDrops node_netstat_TcpExt_SyncookiesFailed \
         node_netstat_TcpExt_SyncookiesRecv node_netstat_TcpExt_SyncookiesSent node_netstat_Tcp_InErrs \
         node_netstat_UdpLite_InErrors node_netstat_UdpLite6_InErrors node_netstat_Udp6_InErrors \
         node_netstat_Udp6_NoPorts node_netstat_Udp6_RcvbufErrors node_netstat_Udp6_SndbufErrors \
         node_netstat_Udp_InErrors node_netstat_Udp_RcvbufErrors node_netstat_Udp_SndbufErrors",
        &[],
        Kind::Still(0.0),
    ),
    (
        "node_netstat_Icmp_InMsgs node_netstat_Icmp_OutMsgs node_netstat_Tcp_RetransSegs \
         node_netstat_TcpExt_TCPTimeouts node_netstat_TcpExt_TCPSynRetrans node_netstat_Tcp_OutRsts \
         node_netstat_Udp_NoPorts node_netstat_Tcp_ActiveOpens",
        &[],
        Kind::Rare { chance: 0.4 },
    ),
    (
        "node_netstat_Tcp_InSegs node_netstat_Tcp_OutSegs node_netstat_Tcp_PassiveOpens node_netstat_Udp_InDatagrams \
         node_netstat_Udp_OutDatagrams node_netstat_IpExt_InOctets node_netstat_IpExt_OutOctets \
         node_netstat_Ip6_InOctets node_netstat_Ip6_OutOctets node_netstat_TcpExt_TCPOrigDataSent \
         node_netstat_Udp6_InDatagrams node_netstat_Udp6_OutDatagrams",
        &[],
        counter(5_000.0),
    ),
    ("node_netstat_Tcp_CurrEstab node_procs_running", &[], gauge(90.0, 30.0)),
    ("node_vmstat_pgfault node_vmstat_pgpgin node_vmstat_pgpgout", &[], counter(20_000.0)),
    ("node_vmstat_pgmajfault", &[], Kind::Rare { chance: 0.1 }),
    ("node_vmstat_oom_kill node_vmstat_pswpin node_vmstat_pswpout", &[], Kind::Still(0.0)),
    ("node_load1 node_load5 node_load15", &[], Kind::Gauge { middle: 1.5, swing: 1.0, per_unit: 100.0 }),
    ("node_context_switches_total node_intr_total node_forks_total", &[], counter(60_000.0)),
    ("node_boot_time_seconds node_filefd_maximum", &[], Kind::Still(1_793_240_000.0)),
    ("node_entropy_available_bits node_procs_blocked", &[], Kind::Still(256.0)),
    ("node_filefd_allocated", &[], Kind::Gauge { middle: 3_200.0, swing: 200.0, per_unit: 1.0 / 32.0 }),
    ("node_sockstat_TCP_alloc node_sockstat_TCP_inuse node_sockstat_sockets_used", &[], gauge(120.0, 40.0)),
    ("node_scrape_collector_duration_seconds", &[COLLECTOR], Kind::Noise { middle: 0.004 }),
    ("node_scrape_collector_success", &[COLLECTOR], Kind::Still(1.0)),
    ("go_goroutines go_threads process_open_fds", &[], gauge(11.0, 3.0)),
    (
        "go_memstats_alloc_bytes go_memstats_heap_inuse_bytes go_memstats_heap_objects process_resident_memory_bytes",
        &[],
        Kind::Gauge { middle: 9_000_000.0, swing: 3_000_000.0, per_unit: 1.0 / 8.0 },
    ),
    ("go_memstats_alloc_bytes_total go_memstats_mallocs_total", &[], counter(800_000.0)),
    ("process_cpu_seconds_total", &[], Kind::Counter { step: 0.05, per_unit: 100.0 }),
    (
        "process_max_fds process_start_time_seconds process_virtual_memory_max_bytes",
        &[],
        Kind::Still(1_048_576.0),
    ),
    ("node_nf_conntrack_entries", &[], gauge(400.0, 150.0)),
    (
        "node_timex_offset_seconds node_timex_frequency_adjustment_ratio",
        &[],
        Kind::Noise { middle: 0.000_02 },
    ),
    ("node_timex_sync_status node_timex_tick_seconds", &[], Kind::Still(0.01)),
    ("go_gc_duration_seconds_count", &[], Kind::Rare { chance: 0.2 }),
    (
        "up scrape_samples_scraped scrape_samples_post_metric_relabeling scrape_series_added",
        &[],
        Kind::Still(1.0),
    ),
    ("scrape_duration_seconds", &[], Kind::Noise { middle: 0.04 }),
];

/// Name, labels without those of the target, how it moves.
pub(super) type Shown = (String, Vec<(String, String)>, Kind);

/// The series of one host.
pub(super) fn series() -> Vec<Shown> {
    let mut all = Vec::new();
    for (names, labels, kind) in FAMILIES {
        for name in names.split_whitespace() {
            let mut rows: Vec<Vec<(String, String)>> = vec![Vec::new()];
            for (label, values) in *labels {
                let extended = |row: &Vec<(String, String)>, value: &str| {
                    let mut row = row.clone();
                    row.push(((*label).to_owned(), value.to_owned()));
                    row
                };
                rows = rows
                    .iter()
                    .flat_map(|row| values.split_whitespace().map(move |value| extended(row, value)))
                    .collect();
            }
            all.extend(rows.into_iter().map(|row| (name.to_owned(), row, *kind)));
        }
    }
    all
}
