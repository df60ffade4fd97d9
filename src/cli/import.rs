//! `absolve import`: a model from PyTorch or ONNX.
use std::path::PathBuf;

use super::Streams;
use crate::data::Shape;
use crate::error::{Error, Result};
use crate::net::{Activations, Imported, ModelFile, Provenance, import};
use crate::study::Task;

/// Make a model file of a PyTorch state dict (safetensors) or an ONNX file
///
/// A state dict must have the names of an nn.Sequential of nn.Linear layers: 0.weight, 0.bias, 2.weight, …, with any one
/// prefix. It does not say what stands between the layers, so --activation does, or the metadata entry "activation". ONNX files
/// may hold Gemm, `MatMul` and Add, Relu, Tanh, Gelu and Flatten. Whatever else is in a file is refused by its name.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The file: .safetensors or .onnx
    file: PathBuf,
    /// Where to write the model file
    #[arg(long, value_name = "MODEL")]
    out: PathBuf,
    /// What follows every layer but the last: relu, tanh, gelu (the exact one) or identity; or one for each layer, the last
    /// too, with commas between
    #[arg(long, value_name = "NAME")]
    activation: Option<String>,
    /// Task that the model was made for: its domain and what its answers mean go into the model file
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Seed of that task's population
    #[arg(long, requires = "task")]
    seed: Option<u64>,
    /// Print what was read as one JSON document
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        super::keep_apart(&self.out, &[&self.file])?;
        let activations: Option<Activations> =
            self.activation.as_deref().map(str::parse).transpose()?;
        let task = self.task.as_deref().map(Task::named_or_load).transpose()?;
        let Imported { net, notes } = import(&self.file, activations.as_ref())?;
        let crate_version = env!("CARGO_PKG_VERSION").to_owned();
        let mut file = ModelFile {
            net,
            domain: None,
            target: None,
            provenance: Provenance { crate_version, ..Provenance::default() },
        };
        if let Some(task) = task {
            task.check()?;
            let world = task.population.world()?;
            check_shape(&task.name, world.shape(), file.net.shape())?;
            (file.domain, file.target) = (Some(world.domain), Some(world.target));
            file.provenance.task = serde_json::to_value(&task).unwrap_or_default();
            file.provenance.seed = self.seed;
        }
        file.save(&self.out)?;
        let net = &file.net;
        let activations: Vec<_> = net.layers().iter().map(|layer| layer.activation).collect();
        if self.json {
            return streams.print_json(&serde_json::json!({
                "model": self.out, "widths": net.widths(), "activations": activations,
                "precision": net.precision(), "parameters": net.n_parameters(), "sha256": net.sha256(),
                "domain": file.domain, "target": file.target, "notes": notes,
            }));
        }
        let names: Vec<String> =
            activations.iter().map(|activation| format!("{activation:?}").to_lowercase()).collect();
        let mut text = format!(
            "{}: widths {:?}, activations {}, {:?}, {} parameters\n",
            self.out.display(),
            net.widths(),
            names.join(" "),
            net.precision(),
            net.n_parameters()
        );
        for note in notes {
            text += &format!("note  {note}\n");
        }
        streams.print(&text)
    }
}

fn check_shape(task: &str, wanted: Shape, got: Shape) -> Result<()> {
    if wanted == got {
        return Ok(());
    }
    let want = format!(
        "it maps {} inputs to {} outputs, the model {} to {}",
        wanted.inputs, wanted.outputs, got.inputs, got.outputs
    );
    Err(Error::parameter("--task", task, want))
}
