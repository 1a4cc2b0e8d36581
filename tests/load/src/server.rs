//! The server under test, as a process of its own.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::http;

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) account: String,
    pub(crate) key: String,
    process: Child,
    folder: Option<std::path::PathBuf>,
}

impl Server {
    /// Starts it on a fresh folder, and points the sample account's CDR callback at `receiver`.
    pub(crate) async fn start(
        binary: &str,
        data: Option<&str>,
        receiver: SocketAddr,
    ) -> Result<Self, String> {
        let (folder, own) = if let Some(data) = data {
            (data.into(), None)
        } else {
            let folder =
                std::env::temp_dir().join(format!("ringfence-load-{}", std::process::id()));
            (folder.clone(), Some(folder))
        };
        let mut process = Command::new(binary)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--allow-subnet",
                "127.0.0.0/8",
                "--data",
            ])
            .arg(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{binary}: {error} (run `cargo build --release` first)"))?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut lines = BufReader::new(output).lines();
        let (mut address, mut account, mut key) = (None, None, None);
        while address.is_none() || account.is_none() || key.is_none() {
            let line = tokio::time::timeout(Duration::from_secs(30), lines.next_line())
                .await
                .map_err(|_| "the server did not start")?
                .map_err(|error| error.to_string())?
                .ok_or("the server ended")?;
            for word in line.split(|c: char| c.is_whitespace() || "\"'<>()".contains(c)) {
                if word.starts_with("rfk_") {
                    key.get_or_insert(word.to_owned());
                }
                if let Some(at) = word.find("acc_") {
                    account.get_or_insert(word[at..].chars().take(36).collect::<String>());
                }
                if let Some(rest) = word.strip_prefix("http://") {
                    let host = rest.split('/').next().unwrap_or_default();
                    if let Ok(found) = host.parse() {
                        address.get_or_insert(found);
                    }
                }
            }
        }
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let (Some(address), Some(account), Some(key)) = (address, account, key) else {
            return Err("the server did not say where it is".to_owned());
        };
        let server = Self {
            address,
            account,
            key,
            process,
            folder: own,
        };
        let settings = format!(r#"{{"cdr":{{"url":"http://{receiver}/","concurrency":64}}}}"#);
        let path = format!("/v1/accounts/{}/settings/callbacks", server.account);
        let request = http::request(
            "PUT",
            &path,
            &server.key,
            &[("if-match", "\"0\"")],
            settings.as_bytes(),
        );
        let (status, answer) = http::Connection::open(address)
            .await?
            .exchange(&request)
            .await?;
        if status != 200 {
            return Err(format!(
                "the settings were answered {status}: {}",
                String::from_utf8_lossy(&answer)
            ));
        }
        Ok(server)
    }

    /// User and system seconds of the process so far.
    pub(crate) fn cpu_seconds(&self) -> Result<f64, String> {
        let stat = self.proc("stat")?;
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .unwrap_or("")
            .split_whitespace()
            .collect();
        let ticks = |index: usize| {
            fields
                .get(index)
                .and_then(|text| text.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        Ok((ticks(11) + ticks(12)) / 100.0)
    }

    /// The most memory it has held, in MiB.
    pub(crate) fn peak_mib(&self) -> Result<f64, String> {
        let status = self.proc("status")?;
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap_or("");
        let kib = line
            .split_whitespace()
            .nth(1)
            .and_then(|text| text.parse::<f64>().ok());
        kib.map(|kib| kib / 1024.0)
            .ok_or_else(|| "no VmHWM".to_owned())
    }

    fn proc(&self, file: &str) -> Result<String, String> {
        let id = self.process.id().ok_or("the server ended")?;
        std::fs::read_to_string(format!("/proc/{id}/{file}")).map_err(|error| error.to_string())
    }

    pub(crate) async fn stop(mut self) -> Result<(), String> {
        self.process
            .kill()
            .await
            .map_err(|error| error.to_string())?;
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
        Ok(())
    }
}
