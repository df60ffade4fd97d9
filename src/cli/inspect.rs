//! `absolve inspect`: what is in a model file.
use std::path::PathBuf;

use ndarray::{Array1, Array2};

use super::Streams;
use crate::error::Result;
use crate::net::ModelFile;

/// Show the layers of a model, their norms, and where it comes from
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model
    model: PathBuf,
    /// Print as one JSON document
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        let file = ModelFile::load(&self.model)?;
        let net = &file.net;
        let layers: Vec<serde_json::Value> = net
            .layers()
            .iter()
            .map(|layer| {
                let mut rows: Vec<f64> =
                    layer.weight.rows().into_iter().map(|row| row.dot(&row).sqrt()).collect();
                rows.sort_by(f64::total_cmp);
                serde_json::json!({
                    "inputs": layer.weight.ncols(),
                    "outputs": layer.weight.nrows(),
                    "activation": layer.activation,
                    "frobenius_norm": layer.weight.mapv(|w| w * w).sum().sqrt(),
                    "spectral_norm": spectral_norm(&layer.weight),
                    "median_row_norm": rows[rows.len() / 2],
                    "largest_row_norm": rows[rows.len() - 1],
                    "largest_bias": layer.bias.fold(0.0_f64, |most, b| most.max(b.abs())),
                })
            })
            .collect();
        if self.json {
            return streams.print_json(&serde_json::json!({
                "sha256": net.sha256(),
                "precision": net.precision(),
                "parameters": net.n_parameters(),
                "forward_flops": net.forward_flops(),
                "domain": file.domain,
                "target": file.target,
                "provenance": file.provenance,
                "lock": net.lock(),
                "layers": layers,
            }));
        }
        let mut text = format!(
            "sha256      {}\nwidths      {:?} ({:?}), {} parameters, {} operations a forward pass\n",
            net.sha256(),
            net.widths(),
            net.precision(),
            net.n_parameters(),
            net.forward_flops()
        );
        if let (Some(domain), Some(target)) = (file.domain, file.target) {
            text += &format!("domain      {domain:?}\ntarget      {target:?}\n");
        }
        let origin = &file.provenance;
        let task = origin.task.get("name").and_then(serde_json::Value::as_str).unwrap_or("unknown");
        let seed = origin.seed.map_or_else(|| "unknown".to_owned(), |seed| seed.to_string());
        text += &format!(
            "task        {task}, seed {seed}, written by absolve {}\n",
            origin.crate_version
        );
        if let Some(lock) = net.lock() {
            text += &format!("lock        {}\n", lock.verifier());
        }
        text +=
            "\nlayer  outputs × inputs  activation  Frobenius  spectral  median row  largest row\n";
        for (number, (layer, facts)) in net.layers().iter().zip(&layers).enumerate() {
            let shape = format!("{} × {}", layer.weight.nrows(), layer.weight.ncols());
            let activation = format!("{:?}", layer.activation).to_lowercase();
            let fact = |name: &str| facts[name].as_f64().unwrap_or(f64::NAN);
            text += &format!(
                "{number:>5}  {shape:>16}  {activation:<10}  {:9.4}  {:8.4}  {:10.4}  {:11.4}\n",
                fact("frobenius_norm"),
                fact("spectral_norm"),
                fact("median_row_norm"),
                fact("largest_row_norm")
            );
        }
        streams.print(&text)
    }
}

/// The largest singular value, by power iteration from the heaviest row; good to about four digits.
fn spectral_norm(weight: &Array2<f64>) -> f64 {
    const STEPS: usize = 200;
    let norm = |v: &Array1<f64>| v.dot(v).sqrt();
    let heaviest = weight.rows().into_iter().max_by(|a, b| a.dot(a).total_cmp(&b.dot(b)));
    let Some(mut v) = heaviest.map(|row| row.to_owned()) else { return 0.0 };
    let mut value = 0.0;
    for _ in 0..STEPS {
        let length = norm(&v);
        if length <= 0.0 {
            return 0.0;
        }
        v /= length;
        let image = weight.dot(&v);
        value = norm(&image);
        v = weight.t().dot(&image);
    }
    value
}
