//! Charts as SVG, by plotters. As wide as the content of a phone's page, where a pixel of the drawing is one of the screen, so that
//! text stays readable there; wider pages enlarge them. The page's style maps the few colours for dark screens.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::evaluate::{ClassMetrics, Coverage, Estimate, ReliabilityBin};
use crate::heads::Epoch;

/// A row on the embedding map.
#[derive(Clone, Debug)]
pub struct MapPoint {
    /// Coordinates.
    pub at: [f64; 2],
    /// Class index.
    pub class: usize,
    /// What hovering shows.
    pub text: String,
}

type Drawing<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

const BLUE_LINE: RGBColor = RGBColor(31, 102, 174);
const RED_LINE: RGBColor = RGBColor(200, 62, 46);
const GREY: RGBColor = RGBColor(120, 120, 120);
/// Plotters makes pixels of it by dividing by 1.24.
const FONT: (&str, i32) = ("sans-serif", 16);

/// Pixels of a chart's width.
const WIDTH: u32 = 340;

/// Draw on a canvas of this size. Drawing to a string fails only by a bug; the chart is then left out.
fn svg(size: (u32, u32), draw: impl FnOnce(&Drawing<'_>) -> Drawn) -> String {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, size).into_drawing_area();
        if draw(&area).and_then(|()| area.present()).is_err() {
            return String::new();
        }
    }
    text
}

/// Training and validation loss by epoch, with the epoch that was kept.
pub fn learning_curves(history: &[Epoch], best_epoch: usize) -> String {
    let last = history.len().max(2);
    let losses = history.iter().flat_map(|e| [e.train_loss, e.validation_loss]);
    let top = losses.fold(0.1f64, f64::max) * 1.05;
    svg((WIDTH, 280), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d(1..last, 0.0..top)?;
        chart
            .configure_mesh()
            .x_desc("epoch")
            .x_labels(6)
            .y_desc("loss (nats)")
            .light_line_style(TRANSPARENT)
            .label_style(FONT)
            .draw()?;
        let mut line = |name: &str, colour: RGBColor, of: fn(&Epoch) -> f64| -> Drawn {
            let points = history.iter().map(|e| (e.epoch, of(e)));
            chart
                .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            Ok(())
        };
        line("training", BLUE_LINE, |e| e.train_loss)?;
        line("validation", RED_LINE, |e| e.validation_loss)?;
        chart
            .draw_series(DashedLineSeries::new([(best_epoch, 0.0), (best_epoch, top)], 5, 4, GREY.into()))?
            .label(format!("kept: epoch {best_epoch}"))
            .legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], GREY));
        chart.configure_series_labels().background_style(WHITE).border_style(GREY).label_font(FONT).draw()
    })
}

/// F1 of each class with its interval.
pub fn class_f1(classes: &[&ClassMetrics]) -> String {
    let height = 70 + 30 * classes.len() as u32;
    svg((WIDTH, height), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(124)
            .build_cartesian_2d(0.0..1.0, (0..classes.len()).into_segmented())?;
        // The first class stands on top.
        let at = |place: usize| classes.len() - 1 - place;
        let name = |segment: &SegmentValue<usize>| match segment {
            SegmentValue::CenterOf(i) | SegmentValue::Exact(i) if *i < classes.len() => {
                shortened(&classes[at(*i)].class, 15)
            }
            _ => String::new(),
        };
        chart
            .configure_mesh()
            .disable_y_mesh()
            .x_desc("F1, 95 % interval")
            .x_labels(5)
            .y_labels(classes.len())
            .y_label_formatter(&name)
            .light_line_style(TRANSPARENT)
            .label_style(FONT)
            .draw()?;
        chart.draw_series(classes.iter().enumerate().map(|(place, class)| {
            let y = SegmentValue::CenterOf(at(place));
            PathElement::new([(class.f1.low, y.clone()), (class.f1.high, y)], BLUE_LINE.stroke_width(3))
        }))?;
        chart.draw_series(classes.iter().enumerate().map(|(place, class)| {
            Circle::new((class.f1.value, SegmentValue::CenterOf(at(place))), 5, BLUE_LINE.filled())
        }))?;
        Ok(())
    })
}

/// Accuracy by confidence, with intervals; the diagonal is perfect calibration.
pub fn reliability(bins: &[ReliabilityBin]) -> String {
    unit_square("confidence", "share right", |chart| {
        chart.draw_series(DashedLineSeries::new([(0.0, 0.0), (1.0, 1.0)], 5, 4, GREY.into()))?;
        chart.draw_series(bins.iter().map(|b| {
            let x = b.confidence;
            PathElement::new([(x, b.accuracy.low), (x, b.accuracy.high)], BLUE_LINE.stroke_width(2))
        }))?;
        chart.draw_series(
            bins.iter().map(|b| Circle::new((b.confidence, b.accuracy.value), 5, BLUE_LINE.filled())),
        )?;
        Ok(())
    })
}

/// Accuracy by the share of rows answered, surest first.
pub fn risk_coverage(curve: &[Coverage]) -> String {
    unit_square("share of rows answered", "share right", |chart| {
        let band = curve.iter().map(|c| (c.coverage, c.accuracy.high));
        let under = curve.iter().rev().map(|c| (c.coverage, c.accuracy.low));
        chart.draw_series([Polygon::new(band.chain(under).collect::<Vec<_>>(), BLUE_LINE.mix(0.15))])?;
        let points = curve.iter().map(|c| (c.coverage, c.accuracy.value));
        chart.draw_series(LineSeries::new(points, BLUE_LINE.stroke_width(2)))?;
        Ok(())
    })
}

/// A figure by the number of rows that taught, with its interval.
pub fn by_rows(points: &[(f64, Estimate)]) -> String {
    if points.is_empty() {
        return String::new();
    }
    let most = points.iter().map(|(rows, _)| *rows).fold(1.0, f64::max) * 1.05;
    let (low, high) =
        points.iter().fold((1f64, 0f64), |(low, high), (_, e)| (low.min(e.low), high.max(e.high)));
    svg((WIDTH, 280), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..most, low.max(0.0)..high.min(1.0).max(low.max(0.0) + 0.01))?;
        chart
            .configure_mesh()
            .x_desc("rows that taught")
            .y_desc("macro-F1")
            .x_labels(4)
            .x_label_formatter(&|rows| format!("{rows:.0}"))
            .light_line_style(TRANSPARENT)
            .label_style(FONT)
            .draw()?;
        let line = points.iter().map(|(rows, e)| (*rows, e.value));
        chart.draw_series(LineSeries::new(line, BLUE_LINE.stroke_width(2)))?;
        chart.draw_series(points.iter().map(|(rows, e)| {
            PathElement::new([(*rows, e.low), (*rows, e.high)], BLUE_LINE.stroke_width(2))
        }))?;
        Ok(())
    })
}

type UnitChart<'a, 'b> = ChartContext<
    'a,
    SVGBackend<'b>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

fn unit_square(x: &str, y: &str, draw: impl FnOnce(&mut UnitChart<'_, '_>) -> Drawn) -> String {
    svg((WIDTH, 320), |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(56)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        chart
            .configure_mesh()
            .x_desc(x)
            .y_desc(y)
            .x_labels(6)
            .y_labels(6)
            .light_line_style(TRANSPARENT)
            .label_style(FONT)
            .draw()?;
        draw(&mut chart)
    })
}

/// Embeddings in two dimensions, coloured by class; hovering a point shows its text.
pub fn embedding_map(points: &[MapPoint]) -> String {
    let bounds = |axis: usize| {
        let values = points.iter().map(|p| p.at[axis]);
        let (low, high) = values.fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
        let margin = ((high - low) * 0.04).max(1e-6);
        low - margin..high + margin
    };
    if points.is_empty() {
        return String::new();
    }
    let drawn = svg((760, 520), |area| {
        let mut chart = ChartBuilder::on(area).margin(4).build_cartesian_2d(bounds(0), bounds(1))?;
        chart.draw_series(
            points.iter().map(|p| Circle::new((p.at[0], p.at[1]), 4, class_colour(p.class).filled())),
        )?;
        Ok(())
    });
    // The library has no tooltips: the points are the only circles, in their order.
    let mut pieces = drawn.split("<circle");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for (piece, point) in pieces.zip(points) {
        let titled = piece.replacen("/>", &format!("><title>{}</title></circle>", escaped(&point.text)), 1);
        text += "<circle";
        text += &titled;
    }
    text
}

/// The colour of a class, as plotters has it.
fn class_colour(class: usize) -> RGBColor {
    let (r, g, b) = Palette99::COLORS[class % Palette99::COLORS.len()];
    RGBColor(r, g, b)
}

/// The colour of a class, for CSS.
pub fn css_colour(class: usize) -> String {
    let RGBColor(r, g, b) = class_colour(class);
    format!("rgb({r},{g},{b})")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        text.to_owned()
    } else {
        text.chars().take(most - 1).chain(['…']).collect()
    }
}
