//! Figures of several runs.

use std::time::Duration;

/// Figures, and what is said of them: the median, with the smallest and the greatest.
#[derive(Debug, Default, Clone)]
pub(crate) struct Figures(Vec<f64>);

impl Figures {
    pub(crate) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    pub(crate) fn push_seconds(&mut self, time: Duration) {
        self.0.push(time.as_secs_f64());
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The figure that this part (0 to 1) of all is not above; 0 of none.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (part * sorted.len() as f64) as usize;
        sorted
            .get(place.min(sorted.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0.0)
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    pub(crate) fn max(&self) -> f64 {
        self.quantile(1.0)
    }

    pub(crate) fn mean(&self) -> f64 {
        self.sum() / self.0.len() as f64
    }

    /// `mean ± its standard error unit`, each times `factor`: how far what was measured can be told from chance.
    pub(crate) fn mean_and_error(&self, factor: f64, decimals: usize, unit: &str) -> String {
        let (mean, count) = (self.mean(), self.0.len() as f64);
        let squares: f64 = self.0.iter().map(|figure| (figure - mean).powi(2)).sum();
        let error = (squares / (count - 1.0) / count).sqrt();
        let [mean, error] = [mean * factor, error * factor];
        format!("{mean:.decimals$} ± {error:.decimals$}{unit}")
    }

    pub(crate) fn sum(&self) -> f64 {
        self.0.iter().sum()
    }

    /// `median unit (min–max)`, each times `factor`.
    pub(crate) fn show(&self, factor: f64, decimals: usize, unit: &str) -> String {
        let [median, min, max] = [0.5, 0.0, 1.0].map(|part| self.quantile(part) * factor);
        format!("{median:.decimals$}{unit} ({min:.decimals$}–{max:.decimals$})")
    }

    /// In seconds, of figures in seconds.
    pub(crate) fn in_seconds(&self) -> String {
        self.show(1.0, 2, " s")
    }

    /// In milliseconds, of figures in seconds.
    pub(crate) fn in_milliseconds(&self) -> String {
        self.show(1000.0, 0, " ms")
    }
}

/// Whether a figure is within its goal, for the report.
pub(crate) fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "missed" }
}
