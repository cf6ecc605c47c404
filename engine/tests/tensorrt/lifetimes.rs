//! What goes before what, and what is refused to be loaded.

use std::path::Path;
use std::sync::{Arc, Mutex};

use engine::backend::{BackendError, TensorRt, TensorRtOptions};
use engine::cuda::Context;
use engine_doubles::Control;
use engine_sys::{Error, Library, Log, Severity};

use crate::rig::{Told, open, open_plan, stand_ins};
use crate::support::SIDE;
use crate::support::gpu::Wanted;

/// What is destroyed of TensorRT, in order, and how much of it before the log is let go.
#[test]
fn context_engine_runtime_and_logger_go_in_this_order() {
    /// Counts the log's lines at the time it is dropped.
    struct Last(&'static Control, Arc<Mutex<Option<usize>>>);

    impl Log for Last {
        fn message(&self, _severity: Severity, _text: &str) {}
    }

    impl Drop for Last {
        fn drop(&mut self) {
            *self.1.lock().unwrap() = Some(self.0.events().len());
        }
    }

    let (_turn, flavours) = stand_ins();
    let control = engine_doubles::control();
    for flavour in flavours {
        control.reset();
        let dropped = Arc::<Mutex<Option<usize>>>::default();
        let file = engine_doubles::tensorrt_library(flavour).unwrap();
        let log = Arc::new(Last(control, dropped.clone()));
        let library = Library::open(flavour, &file, log).unwrap();
        let options = TensorRtOptions {
            library,
            log: Arc::<Told>::default(),
            lanes: 2,
            graphs: true,
            host_code: false,
        };
        let plan = engine_doubles::plan(flavour, SIDE, [1, 4, 8]);
        let context = Context::new(0).unwrap();
        let backend =
            TensorRt::from_bytes(Path::new("p.engine"), &plan, &context, &options).unwrap();
        // The backend alone keeps what it needs.
        drop((options, context));
        assert_eq!(*dropped.lock().unwrap(), None);
        drop(backend);

        let events = control.events();
        let at = |what: &str| {
            let found = events.iter().rposition(|event| event == &format!("destroy {what}"));
            found.unwrap_or_else(|| panic!("no \"destroy {what}\" in {events:?}"))
        };
        let logger = dropped.lock().unwrap().expect("the logger was kept");
        assert!(at("context") < at("engine"), "{events:?}");
        assert!(at("engine") < at("runtime"), "{events:?}");
        assert!(at("runtime") < logger, "{events:?}");
        assert_eq!(control.census(), Vec::<String>::new());
    }
}

#[test]
fn a_library_of_another_major_version_is_only_asked_for_its_version() {
    let (control, flavours) = stand_ins();
    for flavour in &flavours {
        for other in flavours.iter().filter(|other| *other != flavour) {
            let file = engine_doubles::tensorrt_library(*other).unwrap();
            control.reset();
            let error = Library::open(*flavour, &file, Arc::<Told>::default()).err().unwrap();
            let Error::WrongVersion { found, .. } = error else { panic!("{error}") };
            assert_eq!(found.major, other.major());
            for call in ["createInferRuntime", "createInferBuilder"] {
                assert_eq!(control.calls(call), 0);
            }
        }
    }
}

#[test]
fn engines_that_do_not_fit_say_why() {
    let (control, flavours) = stand_ins();
    for flavour in flavours {
        let good = engine_doubles::plan(flavour, SIDE, [1, 4, 8]);
        let version = format!("version {}", flavour.headers().unwrap());
        let cases: [(&str, Vec<u8>, &str); 3] = [
            ("another version", engine_doubles::altered(&good, &version, "version 9.9.9.9"), "9.9"),
            ("cut short", good[..good.len() / 2].to_vec(), ""),
            ("no engine", b"nothing of the kind".to_vec(), ""),
        ];
        for (what, plan, words) in cases {
            let told = Arc::<Told>::default();
            let error = open_plan(Wanted::new(flavour), &plan, &told).err();
            let Some(BackendError::TensorRt(error)) = error else { panic!("{what}: {error:?}") };
            let text = error.to_string();
            assert!(text.contains("deserializeCudaEngine") && text.contains(words), "{text}");
            assert_eq!(control.census(), Vec::<String>::new(), "{flavour}, {what}");
        }
    }
}

#[test]
fn a_runtime_that_is_a_small_number_is_no_runtime() {
    // What the real libraries give where there is no driver.
    let (control, flavours) = stand_ins();
    for flavour in flavours {
        control.reset();
        control.fail("createInferRuntime", 1, 0x228);
        let error = open(Wanted::new(flavour), &Arc::<Told>::default()).err().unwrap();
        assert!(error.to_string().contains("creating a runtime failed"), "{error}");
        assert_eq!(control.census(), Vec::<String>::new());
    }
}
