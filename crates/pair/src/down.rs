//! `down`: stops the nodes that twinlog runs, and deletes what twinlog made when told to.

use std::fs;

use twinlog_server::{
    files,
    process::{self, Owner},
};

use crate::{
    apply::{self, Cause},
    config::{Node, Runtime},
    container,
    observe::mark,
    site::{self, Site},
};

/// Stops both nodes side by side; with `purge` deletes their directories, the passwords and the certificates.
///
/// Returns what was done, in words.
///
/// # Errors
/// A server that does not stop, or a file that cannot be deleted.
pub async fn down(site: &Site, purge: bool) -> Result<Vec<String>, Cause> {
    let _lock = if site.is_founded() {
        Some(site.lock()?)
    } else {
        None
    };
    let [a, b] = site.nodes();
    let (a, b) = futures_util::future::join(stop(site, a), stop(site, b)).await;
    let mut events = vec![a?, b?];
    if purge {
        for node in site
            .nodes()
            .into_iter()
            .filter(|node| site.config.runtime_of(node) == Runtime::Docker)
        {
            container::purge(site, node).await?;
        }
        if site
            .nodes()
            .iter()
            .any(|node| site.config.runtime_of(node) == Runtime::Docker)
        {
            container::purge_network(site, site.nodes()[0]).await?;
        }
        events.push(delete(site)?);
    }
    Ok(events)
}

async fn stop(site: &Site, node: &Node) -> Result<String, Cause> {
    if site.config.runtime_of(node) == Runtime::External {
        return Ok(format!("{}: external, left alone", node.name));
    }
    let ran = apply::stop(site, node).await?;
    Ok(format!(
        "{}: {}",
        node.name,
        if ran { "stopped" } else { "was not running" }
    ))
}

fn delete(site: &Site) -> Result<String, Cause> {
    let io = |path: &std::path::Path| {
        let path = path.to_owned();
        move |source| site::Error::Io {
            action: "delete",
            path,
            source,
        }
    };
    for node in site
        .nodes()
        .into_iter()
        .filter(|node| site.config.runtime_of(node) == Runtime::Process)
    {
        let paths = site.paths(node);
        match process::owner(&paths)? {
            Owner::Marked(found) if found == mark(site, node) => {
                process::delete(&paths)?;
            }
            Owner::Nobody => {}
            Owner::Marked(_) | Owner::Stranger => {
                return Err(process::Error::Foreign { dir: paths.dir }.into());
            }
        }
    }
    // External nodes keep their accounts, whose passwords are here.
    if site
        .nodes()
        .iter()
        .any(|node| site.config.runtime_of(node) == Runtime::External)
    {
        return Ok("deleted the data of the nodes that twinlog runs".into());
    }
    let dir = &site.config.server.data_dir;
    for made in [site.config.secrets_dir(), site.tls_dir(), site.verify_dir()]
        .into_iter()
        .filter(|path| path.is_dir())
    {
        fs::remove_dir_all(&made).map_err(io(&made))?;
    }
    for made in [dir.join("pair-id"), dir.join("lock")]
        .into_iter()
        .filter(|path| path.is_file())
    {
        fs::remove_file(&made).map_err(io(&made))?;
    }
    if dir.is_dir() {
        files::sweep(dir).map_err(io(dir))?;
    }
    // What is left is not twinlog's: then the directory stays.
    let _ = fs::remove_dir(dir);
    Ok(format!("deleted {}", dir.display()))
}
