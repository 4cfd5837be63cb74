//! The one form of certificate that processes show each other.
//!
//! TLS wants an X.509 certificate; what counts in it is the public key. Everything else is
//! constant, so a certificate is checked by comparing bytes instead of parsing ASN.1 from
//! strangers: anything but a self-signed Ed25519 certificate in this very form is refused. Dates
//! are not looked at: the key is the name, and it does not expire.

use peerlet_core::Identity;
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::key::{ProcessKey, SPKI_PREFIX, identity_of};

/// All of the signed part up to the public key: version 3, serial 1, Ed25519, issuer and subject
/// `CN=peerlet`, valid from 1970 to the end of 9999 (RFC 5280, section 4.1; "no well-defined
/// expiration" is 99991231235959Z).
const HEAD: &[u8] = b"\x30\x81\x85\
    \xa0\x03\x02\x01\x02\
    \x02\x01\x01\
    \x30\x05\x06\x03\x2b\x65\x70\
    \x30\x12\x31\x10\x30\x0e\x06\x03\x55\x04\x03\x0c\x07peerlet\
    \x30\x20\x17\x0d700101000000Z\x18\x0f99991231235959Z\
    \x30\x12\x31\x10\x30\x0e\x06\x03\x55\x04\x03\x0c\x07peerlet";
/// The outer sequence, of 210 bytes.
const OUTER: &[u8] = b"\x30\x81\xd2";
/// Between the signed part and the signature: Ed25519 once more, and the head of a bit string of 64
/// bytes.
const MIDDLE: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70\x03\x41\x00";

/// The certificate of a process, in DER.
pub(crate) fn issue(key: &ProcessKey) -> Vec<u8> {
    let signed = [HEAD, &SPKI_PREFIX, &key.public()].concat();
    let signature = key.sign(&signed);
    [OUTER, &signed, MIDDLE, &signature].concat()
}

/// The public key in a certificate that is in our form and signed by that key; `None` for any
/// other.
pub(crate) fn check(certificate: &[u8]) -> Option<[u8; 32]> {
    let rest = certificate.strip_prefix(OUTER)?;
    let key = rest.strip_prefix(HEAD)?.strip_prefix(&SPKI_PREFIX)?;
    let (public, rest_of_it) = key.split_first_chunk::<32>()?;
    let signature: &[u8; 64] = rest_of_it.strip_prefix(MIDDLE)?.try_into().ok()?;
    let signed = &rest[..HEAD.len() + SPKI_PREFIX.len() + public.len()];
    UnparsedPublicKey::new(&ED25519, public).verify(signed, signature).ok()?;
    Some(*public)
}

/// The identity in this certificate, when it is in our form.
pub(crate) fn identity(certificate: &[u8]) -> Option<Identity> {
    check(certificate).map(identity_of)
}

#[cfg(test)]
mod tests {
    use quinn::rustls::pki_types::CertificateDer;
    use quinn::rustls::server::ParsedCertificate;

    use super::*;

    #[test]
    fn ours_is_a_certificate_to_others_too() {
        let key = ProcessKey::generate();
        let der = issue(&key);
        assert_eq!(der.len(), 213);
        assert_eq!(identity(&der), Some(key.identity()));
        // The parser of rustls agrees about where the public key is.
        let der = CertificateDer::from(der);
        let parsed = ParsedCertificate::try_from(&der).unwrap();
        let info = [&SPKI_PREFIX[..], &key.public()].concat();
        assert_eq!(parsed.subject_public_key_info().as_ref(), info);
    }

    #[test]
    fn every_changed_bit_is_refused() {
        let der = issue(&ProcessKey::generate());
        for i in 0..der.len() {
            for bit in 0..8 {
                let mut changed = der.clone();
                changed[i] ^= 1 << bit;
                assert_eq!(identity(&changed), None, "bit {bit} of byte {i}");
            }
            assert_eq!(identity(&der[..i]), None, "cut at {i}");
        }
        assert_eq!(identity(&[&der[..], b"\0"].concat()), None, "something follows");
    }

    #[test]
    fn a_signature_by_another_key_is_refused() {
        let (mut der, other) = (issue(&ProcessKey::generate()), ProcessKey::generate());
        let signed = der[OUTER.len()..OUTER.len() + 136].to_vec();
        let at = der.len() - 64;
        der[at..].copy_from_slice(&other.sign(&signed));
        assert_eq!(identity(&der), None);
    }
}
