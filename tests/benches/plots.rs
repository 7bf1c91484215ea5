//! The two pictures, as SVG: what latency a rate has, and what a transaction costs on ledgers of all sizes.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

use crate::report::Report;

/// Size of a picture, in pixels.
const SIZE: (u32, u32) = (900, 560);

/// Draws what there are figures for.
pub(crate) fn draw(report: &Report, directory: &Path) {
    if !report.curve.is_empty() {
        latency(report, &directory.join("latency-by-throughput.svg")).expect("a picture can be written");
    }
    if !report.costs.is_empty() {
        cost(report, &directory.join("cost-by-ledger.svg")).expect("a picture can be written");
    }
}

fn latency(report: &Report, path: &Path) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let rate_max = report.curve.iter().map(|point| point.rate).fold(0.0, f64::max) * 1.05;
    let latency_max = report.curve.iter().map(|point| point.p99_ms).fold(0.0, f64::max) * 1.1;
    let mut chart = ChartBuilder::on(&root)
        .caption("Latency to finality by throughput", ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..rate_max, 0.0..latency_max)?;
    chart.configure_mesh().x_desc("attestations a second, offered in open loop").y_desc("milliseconds").draw()?;
    let p50 = report.curve.iter().map(|point| (point.rate, point.p50_ms));
    let p99 = report.curve.iter().map(|point| (point.rate, point.p99_ms));
    for (name, colour, points) in [("p50", BLUE, p50.collect::<Vec<_>>()), ("p99", RED, p99.collect())] {
        let series = chart.draw_series(LineSeries::new(points, colour.stroke_width(2)).point_size(4))?;
        series.label(name).legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().position(SeriesLabelPosition::UpperLeft).border_style(BLACK).draw()?;
    root.present()?;
    Ok(())
}

fn cost(report: &Report, path: &Path) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let sizes = || report.costs.iter().map(|cost| cost.ledger);
    let (least, most) = (sizes().fold(f64::MAX, f64::min), sizes().fold(0.0, f64::max));
    let cost_max = report.costs.iter().map(|cost| cost.cpu_us).fold(0.0, f64::max) * 1.2;
    let mut chart = ChartBuilder::on(&root)
        .caption("CPU of a node for one more transaction, by the ledger's size", ("sans-serif", 22))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(64)
        .build_cartesian_2d((least / 2.0..most * 2.0).log_scale(), 0.0..cost_max)?;
    chart.configure_mesh().x_desc("transactions on the ledger").y_desc("microseconds").draw()?;
    let points: Vec<_> = report.costs.iter().map(|cost| (cost.ledger, cost.cpu_us)).collect();
    chart.draw_series(LineSeries::new(points, BLUE.stroke_width(2)).point_size(4))?;
    root.present()?;
    Ok(())
}
