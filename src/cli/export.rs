//! `absolve export`: a model to PyTorch.
use std::path::PathBuf;

use super::Streams;
use crate::error::{Error, Result};
use crate::net::{ModelFile, sequential, state_dict};
use crate::storage::{self, Readers};

/// Write the weights of a model as the state dict of a PyTorch nn.Sequential
///
/// The file holds 0.weight, 0.bias, 2.weight, …, and names the activations in its metadata, so that `absolve import` makes the
/// same model of it again. What is printed is the module that loads it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The model
    model: PathBuf,
    /// Where to write the state dict
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
    /// Print module and names as one JSON document
    #[arg(long)]
    json: bool,
}

impl Args {
    pub(super) fn run(self, streams: &mut Streams<'_>) -> Result<()> {
        if self.out.extension().is_none_or(|ending| ending != "safetensors") {
            let want =
                "a name that ends in .safetensors is needed, the only format that is written";
            return Err(Error::parameter("--out", self.out.display(), want));
        }
        let net = ModelFile::load(&self.model)?.net;
        if net.lock().is_some() {
            let want = "a model without a lock is needed: a state dict holds weights, and the verifier of this one is none";
            return Err(Error::parameter("model", self.model.display(), want));
        }
        storage::replace(&self.out, &state_dict(&net)?, Readers::Everyone)?;
        let module = sequential(&net);
        if self.json {
            return streams.print_json(&serde_json::json!({
                "state_dict": self.out, "module": module, "precision": net.precision(),
                "widths": net.widths(), "sha256": net.sha256(),
            }));
        }
        streams.print(&format!(
            "{}\nmodel = {module}\nmodel.load_state_dict(safetensors.torch.load_file(\"{}\"))\n",
            self.out.display(),
            self.out.display()
        ))
    }
}
