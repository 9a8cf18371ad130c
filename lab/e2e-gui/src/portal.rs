use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use zbus::object_server::SignalEmitter;
use zbus::zvariant::{OwnedValue, Value};
use zbus::{Connection, fdo, interface};

use crate::Desktop;

const PATH: &str = "/org/freedesktop/portal/desktop";
const NAMESPACE: &str = "org.freedesktop.appearance";
const KEY: &str = "color-scheme";

/// What a person has chosen for all apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Nothing.
    None,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

impl Scheme {
    const fn number(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Dark => 1,
            Self::Light => 2,
        }
    }
}

/// The desktop portal, as far as it says whether a person wants it light or dark.
#[derive(Debug)]
pub struct Portal {
    connection: Connection,
    scheme: Arc<Mutex<Scheme>>,
}

struct Settings(Arc<Mutex<Scheme>>);

impl Settings {
    fn value(&self, namespace: &str, key: &str) -> fdo::Result<Value<'static>> {
        if (namespace, key) == (NAMESPACE, KEY) {
            let scheme = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            return Ok(Value::U32(scheme.number()));
        }
        Err(fdo::Error::Failed("no such setting".to_owned()))
    }
}

#[interface(name = "org.freedesktop.portal.Settings")]
impl Settings {
    /// Wraps the value once more than it says, as every portal does.
    #[expect(clippy::needless_pass_by_value, reason = "the macro hands it over so")]
    fn read(&self, namespace: String, key: String) -> fdo::Result<OwnedValue> {
        let value = Value::Value(Box::new(self.value(&namespace, &key)?));
        value.try_into().map_err(|_| fdo::Error::Failed("no value".to_owned()))
    }

    #[expect(clippy::needless_pass_by_value, reason = "the macro hands it over so")]
    fn read_one(&self, namespace: String, key: String) -> fdo::Result<OwnedValue> {
        self.value(&namespace, &key)?.try_into().map_err(|_| fdo::Error::Failed("no value".to_owned()))
    }

    fn read_all(&self, _namespaces: Vec<String>) -> fdo::Result<HashMap<String, HashMap<String, OwnedValue>>> {
        let value = self.value(NAMESPACE, KEY)?.try_into().map_err(|_| fdo::Error::Failed("no value".to_owned()))?;
        Ok(HashMap::from([(NAMESPACE.to_owned(), HashMap::from([(KEY.to_owned(), value)]))]))
    }

    #[zbus(signal)]
    async fn setting_changed(to: &SignalEmitter<'_>, namespace: &str, key: &str, value: Value<'_>) -> zbus::Result<()>;

    #[zbus(property(emits_changed_signal = "const"), name = "version")]
    fn version(&self) -> u32 {
        2
    }
}

impl Portal {
    /// Puts a portal on the desktop.
    ///
    /// # Errors
    /// When the bus does not take it.
    pub async fn start(desktop: &Desktop, scheme: Scheme) -> Result<Self> {
        let scheme = Arc::new(Mutex::new(scheme));
        let connection = zbus::connection::Builder::address(desktop.bus())?
            .serve_at(PATH, Settings(Arc::clone(&scheme)))?
            .name("org.freedesktop.portal.Desktop")?
            .build()
            .await?;
        Ok(Self { connection, scheme })
    }

    /// Somebody chooses another one.
    ///
    /// # Errors
    /// When the bus is gone.
    pub async fn choose(&self, scheme: Scheme) -> Result<()> {
        *self.scheme.lock().unwrap_or_else(PoisonError::into_inner) = scheme;
        let emitter = SignalEmitter::new(&self.connection, PATH)?;
        Ok(Settings::setting_changed(&emitter, NAMESPACE, KEY, Value::U32(scheme.number())).await?)
    }
}
