//! `#[derive(Parameters)]` on structs of odd names and fields.

use peerlet_core::{Duration, SECOND};
use peerlet_overlay::Parameters;

/// A struct that a user gave a name of ours.
#[derive(Parameters)]
#[allow(non_camel_case_types)]
struct __Written {
    /** Time between
     *  two of them. */
    #[parameter(default = SECOND)]
    r#for: Duration,
    #[cfg(any())]
    #[parameter(default = 1, range = 1..=2)]
    left_out: NoSuchType,
    #[cfg(not(any()))]
    #[parameter(default = 1, range = 1..=2)]
    there: u8,
}

#[derive(Parameters)]
#[allow(non_camel_case_types)]
struct r#struct {
    inner: Written,
}

#[derive(Parameters, Clone, Copy, PartialEq, Debug)]
struct Written {
    #[parameter(default = 3)]
    size: u8,
}

#[test]
fn names_and_fields_of_all_kinds_are_read() {
    let names: Vec<_> = __Written::PARAMETERS.iter().map(|one| one.name()).collect();
    assert_eq!(names, ["for", "there"]);
    assert_eq!(__Written::PARAMETERS[0].description(), "time between two of them");
    let read: __Written = serde_json::from_str(r#"{ "for": "2s", "there": 3 }"#).unwrap();
    assert_eq!((read.r#for, read.there), (SECOND * 2, 3));
    assert_eq!(read.check().unwrap_err().to_string(), "`there` is 3; give 1 to 2");
    assert!(serde_json::from_str::<__Written>(r#"{ "left_out": 1 }"#).is_err());
    let read: r#struct = serde_json::from_str(r#"{ "inner": { "size": 7 } }"#).unwrap();
    assert_eq!(read.inner, Written { size: 7 });
    assert_eq!(serde_json::to_string(&read).unwrap(), r#"{"inner":{"size":7}}"#);
}
