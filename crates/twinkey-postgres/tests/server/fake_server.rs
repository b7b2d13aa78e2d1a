//! A server that asks for what it should not, or says nothing, and keeps what it hears.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use twinkey_test_postgres::{Certificate, CertificateAuthority};

/// What the server does with a connection.
#[derive(Clone)]
pub(crate) enum Manner {
    /// Takes it and never says anything.
    Silent,
    /// Offers no TLS, and listens on.
    WithoutTls,
    /// Speaks TLS, then asks with this message.
    OverTls(Arc<ServerConfig>, Vec<u8>),
    /// Asks with this message, without TLS.
    InClear(Vec<u8>),
    /// Says this at once, whatever it hears.
    Says(&'static [u8]),
}

pub(crate) struct FakeServer {
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl FakeServer {
    pub(crate) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = heard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (manner, ear) = (manner.clone(), ear.clone());
                std::thread::spawn(move || serve(stream, &manner, &ear));
            }
        });
        Self { port, heard }
    }

    /// Everything it has heard so far, deciphered.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }

    /// Whether it has heard a text.
    pub(crate) fn has_heard(&self, text: &str) -> bool {
        let heard = self.heard();
        heard
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    }
}

/// `AuthenticationCleartextPassword`
pub(crate) const ASK_CLEARTEXT: &[u8] = b"R\0\0\0\x08\0\0\0\x03";
/// `AuthenticationMD5Password`
pub(crate) const ASK_MD5: &[u8] = b"R\0\0\0\x0c\0\0\0\x05salt";
/// `AuthenticationOk`, and ready for queries.
pub(crate) const ASK_NOTHING: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";
/// `AuthenticationGSS`
pub(crate) const ASK_GSS: &[u8] = b"R\0\0\0\x08\0\0\0\x07";

/// A TLS server with a certificate for these names.
pub(crate) fn tls(certificate: &Certificate) -> Arc<ServerConfig> {
    let chain = vec![CertificateDer::from_pem_slice(certificate.pem.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    Arc::new(config)
}

/// An authority in a file of its own, as an operator would name it.
pub(crate) fn authority() -> (CertificateAuthority, tempfile::NamedTempFile) {
    let authority = CertificateAuthority::new("the fake server's authority").unwrap();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(authority.pem().as_bytes()).unwrap();
    (authority, file)
}

fn serve(mut stream: TcpStream, manner: &Manner, ear: &Mutex<Vec<u8>>) {
    let limit = Some(Duration::from_secs(20));
    stream.set_read_timeout(limit).unwrap();
    match manner {
        Manner::Silent => listen(&mut stream, ear),
        Manner::Says(words) => {
            let _ = stream.write_all(words);
            listen(&mut stream, ear);
        }
        Manner::WithoutTls => {
            hear(&mut stream, ear);
            let _ = stream.write_all(b"N");
            listen(&mut stream, ear);
        }
        Manner::InClear(question) => {
            hear(&mut stream, ear);
            let _ = stream.write_all(question);
            listen(&mut stream, ear);
        }
        Manner::OverTls(config, question) => {
            // The request for TLS.
            let _ = stream.read_exact(&mut [0; 8]);
            let _ = stream.write_all(b"S");
            let session = ServerConnection::new(config.clone()).unwrap();
            let mut stream = StreamOwned::new(session, stream);
            hear(&mut stream, ear);
            let _ = stream.write_all(question);
            let _ = stream.flush();
            listen(&mut stream, ear);
        }
    }
}

fn hear(stream: &mut impl Read, ear: &Mutex<Vec<u8>>) -> usize {
    let mut buffer = [0; 4096];
    let count = stream.read(&mut buffer).unwrap_or(0);
    ear.lock().unwrap().extend(&buffer[..count]);
    count
}

fn listen(stream: &mut impl Read, ear: &Mutex<Vec<u8>>) {
    while hear(stream, ear) > 0 {}
}
