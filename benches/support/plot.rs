//! Plots of a quantity over the number of instances, both on logarithmic axes, several in one picture.
//!
//! Owns: colours (one for each candidate in every picture), ticks and the legend.
//! Never: computes what is plotted.
//!
//! plotters' own logarithmic ticks repeat and skip; here an axis is linear over the exponent, so that it has one label a
//! decade and no other.

use std::ops::Range;
use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::failure::Failure;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

const WIDTH: u32 = 1200;
const PANEL: u32 = 430;
const LEGEND: u32 = 30;
const INK: RGBColor = RGBColor(40, 40, 40);
const GRID: RGBColor = RGBColor(222, 222, 222);

/// Told apart also by those who do not see red and green (after Okabe and Ito).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(150, 150, 150),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
];

/// One diagram of a picture.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) unit: Unit,
    /// Points of each candidate, in the order of the picture's legend; (instances, value).
    pub(crate) series: Vec<Vec<(f64, f64)>>,
}

/// How values are labelled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// Values are seconds.
    Time,
    /// Values are packets a second.
    PacketsPerSecond,
}

impl Unit {
    fn axis(self) -> &'static str {
        match self {
            Self::Time => "time (median)",
            Self::PacketsPerSecond => "packets a second (median)",
        }
    }

    /// The label of a power of ten.
    fn label(self, exponent: i32) -> String {
        match (self, exponent) {
            (Self::Time, ..-3) => format!("{} \u{b5}s", 10_u64.pow(exponent.rem_euclid(3).unsigned_abs())),
            (Self::Time, -3..0) => format!("{} ms", 10_u64.pow(exponent.rem_euclid(3).unsigned_abs())),
            (Self::Time, _) => format!("{} s", 10_f64.powi(exponent)),
            (Self::PacketsPerSecond, _) => count(exponent),
        }
    }
}

fn count(exponent: i32) -> String {
    match exponent {
        ..3 => format!("{}", 10_f64.powi(exponent)),
        3..6 => format!("{}k", 10_f64.powi(exponent - 3)),
        _ => format!("{}M", 10_f64.powi(exponent - 6)),
    }
}

/// Draws panels, two a row, under one legend.
pub(crate) fn draw(path: &Path, legend: &[&str], panels: &[Panel]) -> Result<(), Failure> {
    let rows = u32::try_from(panels.len().div_ceil(2))?;
    let lines = u32::try_from(legend.len().div_ceil(4))?;
    let top = 14 + lines * LEGEND;
    let root = SVGBackend::new(path, (WIDTH, top + rows * PANEL)).into_drawing_area();
    root.fill(&WHITE).map_err(drawing)?;
    let (head, body) = root.split_vertically(top);
    names(&head, legend)?;
    for (panel, area) in panels.iter().zip(body.split_evenly((usize::try_from(rows)?, 2))) {
        diagram(&area, panel)?;
    }
    root.present().map_err(drawing)
}

fn drawing(error: impl std::fmt::Display) -> Failure {
    Failure(format!("the plot cannot be drawn: {error}"))
}

fn names(area: &Area<'_>, legend: &[&str]) -> Result<(), Failure> {
    let style = ("sans-serif", 17).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
    for (index, name) in legend.iter().enumerate() {
        let (column, row) = (i32::try_from(index % 4)?, i32::try_from(index / 4)?);
        let (x, y) = (40 + column * 292, 22 + row * 30);
        let colour = colour(index);
        area.draw(&PathElement::new(vec![(x, y), (x + 28, y)], colour.stroke_width(3))).map_err(drawing)?;
        area.draw(&Circle::new((x + 14, y), 4, colour.filled())).map_err(drawing)?;
        area.draw(&Text::new((*name).to_owned(), (x + 36, y), style.clone())).map_err(drawing)?;
    }
    Ok(())
}

fn colour(index: usize) -> RGBColor {
    COLOURS.get(index).copied().unwrap_or(INK)
}

fn diagram(area: &Area<'_>, panel: &Panel) -> Result<(), Failure> {
    let points = || panel.series.iter().flatten().filter(|point| point.0 > 0.0 && point.1 > 0.0);
    if points().next().is_none() {
        return Ok(());
    }
    let (x, y) = (decades(points().map(|point| point.0), 0.08), decades(points().map(|point| point.1), 0.0));
    let mut chart = ChartBuilder::on(area)
        .caption(&panel.title, ("sans-serif", 20).into_font().color(&INK))
        .margin(14)
        .x_label_area_size(48)
        .y_label_area_size(82)
        .build_cartesian_2d(x.clone(), y.clone())
        .map_err(drawing)?;
    let label = |value: &f64, write: &dyn Fn(i32) -> String| {
        // Only whole exponents are labelled; the others are the edges of the range.
        let whole = value.round();
        if (value - whole).abs() < 1e-6 { write(whole as i32) } else { String::new() }
    };
    let unit = panel.unit;
    chart
        .configure_mesh()
        .x_labels(ticks(&x))
        .y_labels(ticks(&y))
        .max_light_lines(0)
        .bold_line_style(GRID)
        .axis_style(INK)
        .label_style(("sans-serif", 16).into_font().color(&INK))
        .axis_desc_style(("sans-serif", 16).into_font().color(&INK))
        .x_desc("instances")
        .y_desc(unit.axis())
        .x_label_formatter(&|value| label(value, &count))
        .y_label_formatter(&|value| label(value, &|exponent| unit.label(exponent)))
        .draw()
        .map_err(drawing)?;
    for (index, series) in panel.series.iter().enumerate() {
        let colour = colour(index);
        let logs: Vec<(f64, f64)> = series.iter().map(|(x, y)| (x.log10(), y.log10())).collect();
        chart.draw_series(LineSeries::new(logs.iter().copied(), colour.stroke_width(2))).map_err(drawing)?;
        chart.draw_series(logs.iter().map(|point| Circle::new(*point, 4, colour.filled()))).map_err(drawing)?;
    }
    Ok(())
}

/// The exponents from the decade below all values to the one above.
fn decades(values: impl Iterator<Item = f64> + Clone, edge: f64) -> Range<f64> {
    let low = values.clone().fold(f64::INFINITY, f64::min).log10();
    let high = values.fold(f64::NEG_INFINITY, f64::max).log10();
    if edge > 0.0 {
        // Instances: as far as there are points, and a little more.
        (low - edge)..(high + edge).max(low + 1.0)
    } else {
        low.floor()..high.ceil().max(low.floor() + 1.0)
    }
}

fn ticks(range: &Range<f64>) -> usize {
    (range.end - range.start).ceil() as usize + 2
}
