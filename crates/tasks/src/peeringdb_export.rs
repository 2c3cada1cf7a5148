//! Writing the cache out in the API's own shape, to be read back with `peeringdb_sync --from`.

use std::io::{BufWriter, Write};
use std::path::Path;

use pm_peeringdb::{Exported, Namespace};
use pm_store::peeringdb::lookup::each_live;
use pm_store::peeringdb::runs;
use pm_store::{Store, StoreError};

use crate::TaskError;
use crate::peeringdb_sync::Mapping;

/// Writes `{namespace}.json` for all 13 namespaces into `directory` and gives the number of records of each. Records
/// are live ones, ordered by id; `meta.generated` is the time of the last synchronisation.
///
/// Files appear under their names only when all of them are whole.
pub async fn export(store: &Store, directory: &Path) -> Result<Vec<(Namespace, u64)>, TaskError> {
    let failed = |path: &Path, error: &dyn std::fmt::Display| {
        TaskError::Failed(format!("{}: {error}", path.display()))
    };
    std::fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    let watermarks = runs::watermarks(store).await?;
    // One transaction, so that all files show the same moment.
    let mut moment = store.begin_reading().await?;
    let mut session = moment.session();
    let (mut written, mut ready) = (Vec::new(), Vec::new());
    for namespace in Namespace::ALL {
        let mapping = Mapping::of(namespace)?;
        let path = directory.join(format!("{namespace}.json"));
        let partial = directory.join(format!("{namespace}.json.partial"));
        let told = |error: std::io::Error| failed(&path, &error);
        let mut file = BufWriter::new(std::fs::File::create(&partial).map_err(told)?);
        match watermarks.get(namespace.as_str()) {
            Some(mark) => write!(
                file,
                "{{\"meta\": {{\"generated\": {}.0}}, \"data\": [",
                mark.synchronised.timestamp()
            ),
            None => write!(file, "{{\"meta\": {{}}, \"data\": ["),
        }
        .map_err(told)?;
        let mut count = 0_u64;
        each_live(&mut session, mapping.table, |row| {
            let record = mapping.record(row);
            let separator: &[u8] = if count == 0 { b"\n" } else { b",\n" };
            count += 1;
            let io = |source| StoreError::File { path: path.display().to_string(), source };
            file.write_all(separator).map_err(io)?;
            serde_json::to_writer(&mut file, &Exported { namespace, record: &record })
                .map_err(|error| io(error.into()))
        })
        .await?;
        file.write_all(b"\n]}\n").map_err(told)?;
        file.into_inner().map_err(|error| told(error.into_error()))?.sync_all().map_err(told)?;
        written.push((namespace, count));
        ready.push((partial, path));
    }
    for (partial, path) in ready {
        std::fs::rename(&partial, &path).map_err(|error| failed(&path, &error))?;
    }
    Ok(written)
}
