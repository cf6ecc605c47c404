//! Declared element types.

use super::scope::Scope;
use crate::onnx::proto::{ValueInfoProto, data_type, type_proto};

/// The element type of a tensor, where it is declared.
pub(super) fn element_type(info: &ValueInfoProto) -> Option<i32> {
    match info.r#type.as_ref()?.value.as_ref()? {
        type_proto::Value::TensorType(tensor) => Some(tensor.elem_type()).filter(|&e| e > 0),
        _ => None,
    }
}

pub(super) fn set_element_type(info: &mut ValueInfoProto, element: i32) {
    let value = info.r#type.as_mut().and_then(|r#type| r#type.value.as_mut());
    if let Some(type_proto::Value::TensorType(tensor)) = value {
        tensor.elem_type = Some(element);
    }
}

/// Brings declared types up to date; those of names that are gone are dropped.
pub(super) fn retype(declared: &mut Vec<ValueInfoProto>, scope: &Scope) {
    declared.retain_mut(|info| {
        if element_type(info) != Some(data_type::FLOAT) {
            return true;
        }
        let name = info.name();
        match scope.values.get(name) {
            Some(value) if value.half.as_deref() == Some(name) => {
                set_element_type(info, data_type::FLOAT16);
                true
            }
            Some(value) => value.full.as_deref() == Some(name),
            None => false,
        }
    });
}
