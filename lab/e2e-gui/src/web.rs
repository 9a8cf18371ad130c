//! The page in the real window, driven by WebKit's own driver.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use e2e::{PATIENCE, until};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::{App, Desktop};

/// The page.
#[derive(Debug)]
pub struct Page {
    client: Client,
}

impl Page {
    /// Starts the app under the driver, for the service at `socket`.
    ///
    /// # Errors
    /// When driver or app do not start.
    pub async fn start(desktop: &mut Desktop, socket: &Path) -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut driver = desktop.command("WebKitWebDriver");
        driver.arg(format!("--port={port}")).env("TAURI_AUTOMATION", "true").env("TAURI_WEBVIEW_AUTOMATION", "true");
        let log = std::fs::File::create(desktop.home().join("driver"))?;
        desktop.keep(driver.stdout(Stdio::null()).stderr(log))?;
        until(PATIENCE, || Ok(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())).context("the driver")?;
        let options = json!({"binary": App::program(), "args": ["--socket", socket]});
        let mut capabilities = Capabilities::new();
        capabilities.insert("webkitgtk:browserOptions".to_owned(), options);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let address = format!("http://127.0.0.1:{port}");
        let client = builder.capabilities(capabilities).connect(&address);
        let client = tokio::time::timeout(Duration::from_secs(20), client).await.context("a session in time")??;
        Ok(Self { client })
    }

    /// The result of a script in the page.
    ///
    /// # Errors
    /// When the script throws.
    pub async fn script(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// The same for a script that says when it is done, by the last of its arguments.
    ///
    /// # Errors
    /// When the script throws, or never says so.
    pub async fn script_async(&self, script: &str, given: Vec<Value>) -> Result<Value> {
        Ok(self.client.execute_async(script, given).await?)
    }

    /// All that the page says.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn text(&self) -> Result<String> {
        Ok(self.script("return document.body.innerText").await?.as_str().unwrap_or_default().to_owned())
    }

    /// Waits until the page says something.
    ///
    /// # Errors
    /// When it does not in ten seconds; the error holds what it says.
    pub async fn says(&self, what: &str, condition: impl Fn(&str) -> bool) -> Result<String> {
        let mut text = String::new();
        for _ in 0..500 {
            text = self.text().await?;
            if condition(&text) {
                return Ok(text);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        bail!("never {what}: {text}")
    }

    /// Presses the button that says `label`.
    ///
    /// # Errors
    /// When there is none.
    pub async fn press(&self, label: &str) -> Result<()> {
        let path = format!("//button[contains(normalize-space(.), '{label}')]");
        Ok(self.client.find(Locator::XPath(&path)).await.with_context(|| format!("a button {label}"))?.click().await?)
    }

    /// A picture of the page.
    ///
    /// # Errors
    /// When the page is gone.
    pub async fn picture(&self) -> Result<Vec<u8>> {
        Ok(self.client.screenshot().await?)
    }

    /// Ends the app.
    ///
    /// # Errors
    /// When the driver is gone.
    pub async fn close(self) -> Result<()> {
        Ok(self.client.close().await?)
    }
}
