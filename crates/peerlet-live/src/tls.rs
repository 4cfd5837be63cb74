//! TLS between processes: version 1.3 only, both sides prove the key that their identity is the
//! hash of.

use std::sync::Arc;

use peerlet_core::Identity;
use quinn::rustls::client::Resumption;
use quinn::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use quinn::rustls::crypto::{CryptoProvider, ring, verify_tls13_signature_with_raw_key};
use quinn::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer,
    UnixTime,
};
use quinn::rustls::server::NoServerSessionStorage;
use quinn::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use quinn::rustls::version::TLS13;
use quinn::rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error,
    PeerIncompatible, ServerConfig, SignatureScheme,
};

use crate::certificate;
use crate::key::{ProcessKey, SPKI_PREFIX, identity_of};

/// The protocol spoken on our connections; another version of it gets another name.
pub(crate) const ALPN: &[u8] = b"peerlet/1";

/// The name that is sent to whom we dial: the same for all, for it is the key that names a process.
pub(crate) const SERVER_NAME: &str = "peerlet";

/// How a process answers: it shows its certificate and asks for one.
pub(crate) fn server(key: &ProcessKey) -> ServerConfig {
    let (chain, private) = credentials(key);
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has suites of TLS 1.3")
        .with_client_cert_verifier(Arc::new(Verifier { expected: None }))
        .with_single_cert(chain, private)
        .expect("our certificate holds our key");
    config.alpn_protocols = vec![ALPN.to_vec()];
    // No tickets: every connection proves the keys anew, and there is nothing to replay (no 0-RTT).
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config
}

/// How a process dials: anybody who answers, or nobody but `expected`.
pub(crate) fn client(key: &ProcessKey, expected: Option<Identity>) -> ClientConfig {
    let (chain, private) = credentials(key);
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has suites of TLS 1.3")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier { expected }))
        .with_client_auth_cert(chain, private)
        .expect("our certificate holds our key");
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config
}

/// The identity of the other end, from the certificates that a finished handshake has verified.
pub(crate) fn identity_shown(certificates: &[CertificateDer<'_>]) -> Option<Identity> {
    match certificates {
        [one] => certificate::identity(one),
        _ => None,
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn credentials(key: &ProcessKey) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let private = PrivatePkcs8KeyDer::from(key.pkcs8().to_vec());
    (vec![certificate::issue(key).into()], private.into())
}

/// Accepts one certificate in our form, of the expected process if there is one, and its key's
/// signature.
#[derive(Debug)]
struct Verifier {
    expected: Option<Identity>,
}

impl Verifier {
    fn check(&self, shown: &CertificateDer<'_>, more: &[CertificateDer<'_>]) -> Result<(), Error> {
        if !more.is_empty() {
            return Err(CertificateError::UnknownIssuer.into());
        }
        let public = certificate::check(shown).ok_or(CertificateError::BadEncoding)?;
        match self.expected {
            Some(expected) if expected != identity_of(public) => {
                // Of all refusals only this one becomes the alert `access_denied`, by which it is
                // told apart later.
                Err(CertificateError::ApplicationVerificationFailure.into())
            }
            _ => Ok(()),
        }
    }

    /// Checks that the other end holds the certificate's key: it signed this handshake with it.
    fn check_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let public = certificate::check(certificate).ok_or(CertificateError::BadEncoding)?;
        let info = SubjectPublicKeyInfoDer::from([&SPKI_PREFIX[..], &public].concat());
        let algorithms = &provider().signature_verification_algorithms;
        verify_tls13_signature_with_raw_key(message, &info, signature, algorithms)
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(end_entity, intermediates)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(end_entity, intermediates)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls13RequiredForQuic.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

#[cfg(test)]
mod tests {
    use quinn::rustls::sign::{CertifiedKey, SingleCertAndKey};
    use quinn::rustls::{ClientConnection, ServerConnection};

    use super::*;

    /// Shakes hands in memory and gives what went wrong first, or the identities that client and
    /// server saw.
    fn shake(
        client: ClientConfig,
        server: ServerConfig,
    ) -> Result<(Option<Identity>, Option<Identity>), String> {
        let name = ServerName::try_from(SERVER_NAME).unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        for _ in 0..10 {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut &bytes[..]).unwrap();
            server.process_new_packets().map_err(|e| format!("server: {e:?}"))?;
            bytes.clear();
            server.write_tls(&mut bytes).unwrap();
            client.read_tls(&mut &bytes[..]).unwrap();
            client.process_new_packets().map_err(|e| format!("client: {e:?}"))?;
        }
        assert!(!client.is_handshaking() && !server.is_handshaking());
        let seen = |shown: Option<&[CertificateDer<'_>]>| shown.and_then(identity_shown);
        Ok((seen(client.peer_certificates()), seen(server.peer_certificates())))
    }

    /// A client configuration that shows this chain and signs with this PKCS#8 key.
    fn client_showing(chain: Vec<CertificateDer<'static>>, pkcs8: &[u8]) -> ClientConfig {
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pkcs8.to_vec()));
        let signer = ring::sign::any_supported_type(&private).unwrap();
        let mut config = client(&ProcessKey::generate(), None);
        let shown = SingleCertAndKey::from(CertifiedKey::new(chain, signer));
        config.client_auth_cert_resolver = Arc::new(shown);
        config
    }

    fn server_refuses(client: ClientConfig) -> String {
        shake(client, server(&ProcessKey::generate())).unwrap_err()
    }

    /// A self-signed certificate with its key, made by somebody else's library.
    fn foreign(
        algorithm: &'static rcgen::SignatureAlgorithm,
    ) -> (CertificateDer<'static>, Vec<u8>) {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let params = rcgen::CertificateParams::new(vec!["peerlet".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().der().clone(), key.serialize_der())
    }

    #[test]
    fn both_sides_see_each_other() {
        let (alice, bob) = (ProcessKey::generate(), ProcessKey::generate());
        let seen = Ok((Some(bob.identity()), Some(alice.identity())));
        assert_eq!(shake(client(&alice, None), server(&bob)), seen);
        assert_eq!(shake(client(&alice, Some(bob.identity())), server(&bob)), seen);
    }

    #[test]
    fn another_process_than_expected_is_refused() {
        let (alice, bob) = (ProcessKey::generate(), ProcessKey::generate());
        let error = shake(client(&alice, Some(alice.identity())), server(&bob)).unwrap_err();
        assert!(
            error.starts_with("client") && error.contains("ApplicationVerificationFailure"),
            "{error}"
        );
    }

    #[test]
    fn no_certificate_is_refused() {
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier { expected: None }));
        let mut config = config.with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        assert!(server_refuses(config).contains("NoCertificatesPresented"));
    }

    #[test]
    fn a_copied_certificate_without_its_key_is_refused() {
        let (victim, thief) = (ProcessKey::generate(), ProcessKey::generate());
        let copied = vec![CertificateDer::from(certificate::issue(&victim))];
        let error = server_refuses(client_showing(copied, thief.pkcs8()));
        assert!(error.contains("BadSignature"), "{error}");
    }

    #[test]
    fn chains_are_refused() {
        let key = ProcessKey::generate();
        let one = CertificateDer::from(certificate::issue(&key));
        let error = server_refuses(client_showing(vec![one.clone(), one], key.pkcs8()));
        assert!(error.contains("UnknownIssuer"), "{error}");
    }

    #[test]
    fn other_forms_and_algorithms_are_refused() {
        let (certificate, pkcs8) = foreign(&rcgen::PKCS_ED25519);
        let error = server_refuses(client_showing(vec![certificate], &pkcs8));
        assert!(error.contains("BadEncoding"), "{error}");
        for algorithm in [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384] {
            // We offer no scheme that such a key could sign with, so the client has nothing to
            // show.
            let (certificate, pkcs8) = foreign(algorithm);
            let error = server_refuses(client_showing(vec![certificate], &pkcs8));
            assert!(error.contains("NoCertificatesPresented"), "{error}");
        }
    }

    #[test]
    fn a_server_is_checked_like_a_client() {
        let (certificate, pkcs8) = foreign(&rcgen::PKCS_ED25519);
        let alien = |chain: Vec<CertificateDer<'static>>, pkcs8: &[u8]| {
            let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(pkcs8.to_vec()));
            let signer = ring::sign::any_supported_type(&private).unwrap();
            let mut config = server(&ProcessKey::generate());
            config.cert_resolver =
                Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, signer)));
            shake(client(&ProcessKey::generate(), None), config).unwrap_err()
        };
        let error = alien(vec![certificate], &pkcs8);
        assert!(error.starts_with("client") && error.contains("BadEncoding"), "{error}");
        let (victim, thief) = (ProcessKey::generate(), ProcessKey::generate());
        let error = alien(vec![certificate::issue(&victim).into()], thief.pkcs8());
        assert!(error.starts_with("client") && error.contains("BadSignature"), "{error}");
        let one = CertificateDer::from(certificate::issue(&victim));
        let error = alien(vec![one.clone(), one], victim.pkcs8());
        assert!(error.starts_with("client") && error.contains("UnknownIssuer"), "{error}");
    }

    #[test]
    fn another_protocol_is_refused() {
        let mut config = client(&ProcessKey::generate(), None);
        config.alpn_protocols = vec![b"peerlet/0".to_vec()];
        assert!(server_refuses(config).contains("NoApplicationProtocol"));
    }

    #[test]
    fn nothing_is_resumed_or_sent_early() {
        let (client, server) =
            (client(&ProcessKey::generate(), None), server(&ProcessKey::generate()));
        assert!(!client.enable_early_data);
        assert_eq!((server.max_early_data_size, server.send_tls13_tickets), (0, 0));
    }
}
