//! A bus and those who speak on it. They share no code with the listener: every answer is written down here.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::net::Ipv6Addr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use tokio::task::JoinSet;
use zbus::message::Type;
use zbus::{Connection, Message, MessageStream, ObjectPath, Variant};

const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=LISTEN</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="false"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
"#;

/// A bus that nobody else knows. Ends with the value.
pub(super) struct Daemon {
    folder: tempfile::TempDir,
    pub(super) address: String,
    child: Child,
}

impl Daemon {
    pub(super) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("bus");
        let config = CONFIG.replace("LISTEN", socket.to_str().unwrap());
        std::fs::write(folder.path().join("config"), config).unwrap();
        let child = run(&folder);
        Self { address: format!("unix:path={}", socket.display()), folder, child }
    }

    /// Where it listens.
    pub(super) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("bus")
    }

    pub(super) fn restart(&mut self) {
        self.stop();
        self.child = run(&self.folder);
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Returns when it listens.
fn run(folder: &tempfile::TempDir) -> Child {
    let config = format!("--config-file={}", folder.path().join("config").display());
    let mut child = Command::new("dbus-daemon")
        .args([&config, "--nofork", "--nopidfile", "--print-address"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program dbus-daemon: cargo xtask setup");
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("unix:"), "{line}");
    child
}

/// How questions are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mood {
    #[default]
    Helpful,
    /// By an error.
    Refusing,
    /// Not at all.
    Hanging,
}

#[derive(Default)]
struct Script {
    mood: Mood,
    /// Only questions about this object are answered by that mood.
    about: Option<String>,
    asked: usize,
    devices: HashMap<String, Device>,
    leases: HashMap<String, String>,
    described: Vec<(i32, String)>,
    servers: Vec<(i32, i32, Vec<u8>)>,
}

struct Device {
    numbers: Vec<(String, u32)>,
    interface: String,
    lease: String,
}

/// Somebody with a well-known name, who answers by the script. Leaves the bus with the value.
pub(super) struct Stage {
    bus: Connection,
    script: Arc<Mutex<Script>>,
    _answering: JoinSet<()>,
}

impl Stage {
    pub(super) async fn enter(daemon: &Daemon, name: &str) -> Self {
        let bus = zbus::connection::Builder::address(daemon.address.as_str()).build().await.unwrap();
        let script = Arc::new(Mutex::new(Script::default()));
        let mut answering = JoinSet::new();
        answering.spawn(answer_all(bus.clone(), MessageStream::from(&bus), Arc::clone(&script)));
        bus.request_name(name).await.unwrap();
        Self { bus, script, _answering: answering }
    }

    pub(super) fn mood(&self, mood: Mood, about: Option<&str>) {
        let mut script = self.script.lock().unwrap();
        (script.mood, script.about) = (mood, about.map(Into::into));
    }

    pub(super) fn device(&self, path: &str, numbers: &[(&str, u32)], interface: &str, lease: &str) {
        let numbers = numbers.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect();
        let device = Device { numbers, interface: interface.into(), lease: lease.into() };
        self.script.lock().unwrap().devices.insert(path.into(), device);
    }

    pub(super) fn lease(&self, path: &str, servers: &str) {
        self.script.lock().unwrap().leases.insert(path.into(), servers.into());
    }

    pub(super) fn describe(&self, link: u32, state: &str, servers: &[(&str, u8)]) {
        let servers: Vec<String> = servers
            .iter()
            .map(|(source, last)| {
                let address = format!("[32,1,13,184,0,0,0,0,0,0,0,0,0,0,0,{last}]");
                format!(r#"{{"Family":10,"Address":{address},"ConfigSource":"{source}"}}"#)
            })
            .collect();
        let text = format!(r#"{{"Index":{link},"AdministrativeState":"{state}","DNS":[{}]}}"#, servers.join(","));
        self.script.lock().unwrap().described = vec![(link.try_into().unwrap(), text)];
    }

    /// `ListLinks` still has it, `DescribeLink` no more.
    pub(super) fn undescribe(&self) {
        self.script.lock().unwrap().described.iter_mut().for_each(|(_, text)| text.clear());
    }

    /// So many questions were asked.
    pub(super) fn asked(&self) -> usize {
        self.script.lock().unwrap().asked
    }

    pub(super) fn servers(&self, servers: &[(u32, u16)]) {
        let entry = |(link, last): &(u32, u16)| {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, *last);
            ((*link).try_into().unwrap(), 10, address.octets().to_vec())
        };
        self.script.lock().unwrap().servers = servers.iter().map(entry).collect();
    }

    pub(super) async fn changed(&self, path: &str, interface: &str) {
        let body = (interface, HashMap::<&str, Variant<'_>>::new(), Vec::<&str>::new());
        let properties = "org.freedesktop.DBus.Properties";
        self.bus.emit_signal(None::<&str>, path, properties, "PropertiesChanged", &body).await.unwrap();
    }
}

async fn answer_all(bus: Connection, mut messages: MessageStream, script: Arc<Mutex<Script>>) {
    while let Some(Ok(message)) = messages.next().await {
        if message.message_type() == Type::MethodCall {
            let answer = answer(&message, &mut script.lock().unwrap());
            if let Some(answer) = answer {
                bus.send(&answer).await.unwrap();
            }
        }
    }
}

fn answer(call: &Message, script: &mut Script) -> Option<Message> {
    script.asked += 1;
    let header = call.header();
    let concerned = script.about.as_ref().is_none_or(|about| header.path().is_some_and(|path| path.as_str() == about));
    match script.mood {
        Mood::Refusing if concerned => {
            Some(Message::error(&header, "org.freedesktop.DBus.Error.Failed").build(&"not now").unwrap())
        }
        Mood::Hanging if concerned => None,
        Mood::Helpful | Mood::Refusing | Mood::Hanging => Some(help(call, script)),
    }
}

fn help(call: &Message, script: &Script) -> Message {
    let header = call.header();
    let member = header.member().unwrap().to_string();
    let path = header.path().unwrap().to_string();
    let reply = Message::method_return(&header);
    match member.as_str() {
        "GetAllDevices" => {
            let paths: Vec<ObjectPath<'_>> =
                script.devices.keys().map(|path| ObjectPath::try_from(path.as_str()).unwrap()).collect();
            reply.build(&paths).unwrap()
        }
        "GetAll" => {
            let device = &script.devices[&path];
            let mut values: HashMap<&str, Variant<'_>> =
                device.numbers.iter().map(|(name, number)| (name.as_str(), Variant::from(*number))).collect();
            values.insert("Managed", Variant::from(true));
            values.insert("Interface", Variant::from(device.interface.as_str()));
            values.insert("Dhcp6Config", Variant::from(ObjectPath::try_from(device.lease.as_str()).unwrap()));
            reply.build(&values).unwrap()
        }
        "Get" => {
            let (_, name): (String, String) = call.body().deserialize().unwrap();
            match name.as_str() {
                "Options" => {
                    let servers = Variant::from(script.leases[&path].as_str());
                    let options = HashMap::from([("dhcp6_name_servers", servers), ("iaid", Variant::from("x"))]);
                    reply.build(&Variant::from(options)).unwrap()
                }
                "DNS" => reply.build(&Variant::from(script.servers.clone())).unwrap(),
                other => panic!("asked for {other}"),
            }
        }
        "ListLinks" => {
            let path = ObjectPath::try_from("/org/freedesktop/network1/link/_32").unwrap();
            let links: Vec<_> = script.described.iter().map(|(link, _)| (*link, "eth0", &path)).collect();
            reply.build(&links).unwrap()
        }
        "DescribeLink" => {
            let wanted: i32 = call.body().deserialize().unwrap();
            let (_, text) = script.described.iter().find(|(link, _)| *link == wanted).unwrap();
            if text.is_empty() {
                return Message::error(&header, "org.freedesktop.network1.NoSuchLink").build(&"gone").unwrap();
            }
            reply.build(text).unwrap()
        }
        other => panic!("asked for {other}"),
    }
}
