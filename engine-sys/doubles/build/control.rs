//! libengine_doubles.so: what the tests steer all stand-ins with.

use crate::shared_object::SharedObject;

pub(crate) fn build() {
    SharedObject::new("libengine_doubles.so").sources_in("cpp/control").build();
}
