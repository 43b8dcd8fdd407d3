//! Trees made at random: each prints to what parses to the same tree, on one line and laid out.

use crate::logql::{
    Assign, BinOp, BinaryExpr, Conversion, Expr, FieldFilter, Group, Grouping, LabelFilter, LabelFormat,
    LineFilter, LineOp, LogExpr, LogRange, MatchOn, Modifier, NumberOp, Operand, RangeExpr, RangeOp, Stage,
    Unwrap, VectorExpr, VectorOp, parse, pretty,
};
use model::{MatchOp, Matcher};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Names that Loki's lexer takes, odd ones too.
fn name() -> impl Strategy<Value = String> {
    const ODD: &[&str] = &["!", "~", "$", "&", "٣", "\u{a0}", "rate", "sum", "ip", "duration", "e1", "ß_2"];
    prop_oneof![3 => "[a-z_][a-z0-9_]{0,12}x", 1 => select(ODD).prop_map(str::to_owned)]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,8}", any::<String>(), Just(" | ".to_owned()), "[a-z ]{90}"]
}

fn number() -> impl Strategy<Value = f64> {
    let ordinary = prop_oneof![(-1000_i32..1000).prop_map(f64::from), any::<f64>()];
    ordinary.prop_filter("a literal is finite", |value| value.is_finite())
}

fn matcher() -> impl Strategy<Value = Matcher> {
    let equal = (name(), select(&[MatchOp::Equal, MatchOp::NotEqual][..]), text());
    let regex = (name(), select(&[MatchOp::Regex, MatchOp::NotRegex][..]), "[a-z.+|]{0,3}[a-z]");
    prop_oneof![equal, regex]
        .prop_filter_map("a pattern", |(name, op, value)| Matcher::new(&name, op, &value).ok())
}

fn filter() -> impl Strategy<Value = LabelFilter> {
    use NumberOp::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
    let op = || select(&[Equal, NotEqual, Greater, GreaterEqual, Less, LessEqual][..]);
    let leaf = prop_oneof![
        matcher().prop_map(LabelFilter::Text),
        (name(), op(), number()).prop_map(|(name, op, value)| LabelFilter::Number(name, op, value)),
        (name(), op(), -i64::MAX..i64::MAX).prop_map(|(name, op, ns)| LabelFilter::Duration(name, op, ns)),
        (name(), op(), 0_u64..1 << 53).prop_map(|(name, op, bytes)| LabelFilter::Bytes(name, op, bytes)),
        (name(), any::<bool>(), text()).prop_map(|(name, equal, ip)| LabelFilter::Ip(name, equal, ip)),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        (any::<bool>(), inner.clone(), inner).prop_map(|(and, a, b)| {
            let join = if and { LabelFilter::And } else { LabelFilter::Or };
            join(Box::new(a), Box::new(b))
        })
    })
}

fn line_filter() -> impl Strategy<Value = LineFilter> {
    use LineOp::{Contains, NotContains, NotPattern, NotRegex, Pattern, Regex};
    let op = select(&[Contains, NotContains, Regex, NotRegex, Pattern, NotPattern][..]);
    let operand = prop_oneof![text().prop_map(Operand::Text), text().prop_map(Operand::Ip)];
    (op, vec(operand, 1..3)).prop_map(|(op, operands)| LineFilter { op, operands })
}

fn assigns() -> impl Strategy<Value = Vec<Assign>> {
    vec((name(), text()).prop_map(|(name, expression)| Assign { name, expression }), 0..3)
}

fn label_format() -> impl Strategy<Value = LabelFormat> {
    prop_oneof![
        (name(), name()).prop_map(|(dst, src)| LabelFormat::Rename { dst, src }),
        (name(), text()).prop_map(|(dst, template)| LabelFormat::Template { dst, template }),
    ]
}

fn fields() -> impl Strategy<Value = Vec<FieldFilter>> {
    vec(prop_oneof![name().prop_map(FieldFilter::Name), matcher().prop_map(FieldFilter::Match)], 1..3)
}

fn stage() -> impl Strategy<Value = Stage> {
    prop_oneof![
        line_filter().prop_map(Stage::Line),
        assigns().prop_map(Stage::Json),
        (any::<bool>(), any::<bool>(), assigns()).prop_map(|(strict, keep_empty, fields)| Stage::Logfmt {
            strict,
            keep_empty,
            fields
        }),
        text().prop_map(Stage::Regexp),
        text().prop_map(Stage::Pattern),
        Just(Stage::Unpack),
        Just(Stage::Decolorize),
        filter().prop_map(Stage::Filter),
        text().prop_map(Stage::LineFormat),
        vec(label_format(), 1..3).prop_map(Stage::LabelFormat),
        fields().prop_map(Stage::Drop),
        fields().prop_map(Stage::Keep),
    ]
}

fn log() -> impl Strategy<Value = LogExpr> {
    (vec(matcher(), 0..2), vec(stage(), 0..4)).prop_map(|(mut matchers, mut stages)| {
        // `| drop a != "b"` names a value of the field; it is no line filter.
        let mut after_fields = false;
        stages.retain(|stage| {
            let keep = !(after_fields && matches!(stage, Stage::Line(_)));
            after_fields = if keep { matches!(stage, Stage::Drop(_) | Stage::Keep(_)) } else { after_fields };
            keep
        });
        matchers.extend(Matcher::new("app", MatchOp::Equal, "shop"));
        LogExpr { matchers, stages }
    })
}

fn grouping() -> impl Strategy<Value = Option<Grouping>> {
    prop::option::of(
        (any::<bool>(), vec(name(), 0..3)).prop_map(|(without, labels)| Grouping { without, labels }),
    )
}

fn range() -> impl Strategy<Value = RangeExpr> {
    use Conversion::{Bytes, Duration, DurationSeconds, Number};
    let conversion = select(&[Bytes, Duration, DurationSeconds, Number][..]);
    let unwrap = (name(), conversion, vec(filter(), 0..3)).prop_map(|(label, conversion, filters)| Unwrap {
        label,
        conversion,
        filters,
    });
    let times = (1_i64..1 << 40, -(1_i64 << 60)..1 << 60);
    (log(), unwrap, times, grouping(), number(), 0..3).prop_map(
        |(log, unwrap, (interval_ms, offset_ns), grouping, param, kind)| {
            let (op, unwrap, param, grouping) = match kind {
                0 => (RangeOp::CountOverTime, None, None, None),
                1 => (RangeOp::MaxOverTime, Some(unwrap), None, grouping),
                _ => (RangeOp::QuantileOverTime, Some(unwrap), Some(param.abs()), grouping),
            };
            let interval_ns = interval_ms % (1 << 43) * 1_000_000;
            RangeExpr { op, param, range: LogRange { log, unwrap, interval_ns, offset_ns }, grouping }
        },
    )
}

fn modifier() -> impl Strategy<Value = Modifier> {
    let group = prop_oneof![
        Just(Group::One),
        vec(name(), 0..3).prop_map(Group::Left),
        vec(name(), 0..3).prop_map(Group::Right),
    ];
    let matching = (any::<bool>(), vec(name(), 0..3), group).prop_map(|(on, labels, group)| MatchOn {
        on,
        labels,
        group,
    });
    prop::option::of(matching).prop_map(|matching| Modifier { bool_result: false, matching })
}

fn metric() -> impl Strategy<Value = Expr> {
    let leaf = prop_oneof![
        range().prop_map(Expr::Range),
        number().prop_map(|value| Expr::VectorLiteral(value.abs())),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let vector =
            (inner.clone(), grouping(), any::<bool>(), 1..i64::MAX).prop_map(|(inner, grouping, k, most)| {
                let (op, param) = if k { (VectorOp::Topk, Some(most)) } else { (VectorOp::Sum, None) };
                Expr::Vector(Box::new(VectorExpr { op, param, inner, grouping }))
            });
        let operators = select(&[BinOp::Add, BinOp::Pow, BinOp::And, BinOp::Gt, BinOp::Div][..]);
        let binary =
            (operators, modifier(), inner.clone(), inner.clone()).prop_map(|(op, modifier, lhs, rhs)| {
                Expr::Binary(Box::new(BinaryExpr { op, modifier, lhs, rhs }))
            });
        let literal = (modifier(), inner.clone(), number()).prop_map(|(modifier, lhs, number)| {
            Expr::Binary(Box::new(BinaryExpr { op: BinOp::Mul, modifier, lhs, rhs: Expr::Literal(number) }))
        });
        let replaced = (inner, text(), text()).prop_map(|(inner, dst, src)| Expr::LabelReplace {
            inner: Box::new(inner),
            dst,
            replacement: "$1".to_owned(),
            src,
            regex: "(.*)".to_owned(),
        });
        prop_oneof![vector, binary, literal, replaced]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_tree_survives_printing(expr in prop_oneof![log().prop_map(Expr::Log), metric()]) {
        for printed in [expr.to_string(), pretty(&expr)] {
            prop_assert_eq!(parse(&printed).map_err(|error| error.to_string()), Ok(expr.clone()), "{}", printed);
        }
    }
}
