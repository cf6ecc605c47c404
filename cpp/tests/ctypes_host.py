"""Uses the library from Python, by ctypes alone: the C example's function, and libengine.so itself.

ctypes_host.py LIBENGINE LIBRENDER CLI AVATAR
"""

import ctypes
import pathlib
import subprocess
import sys
import tempfile

OK, END, INVALID_ARGUMENT, VERSION_MISMATCH, CALLBACK, BACKEND = 0, 1, 5, 7, 12, 10


class View(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.POINTER(ctypes.c_uint8)),
        ("width", ctypes.c_size_t),
        ("height", ctypes.c_size_t),
        ("stride", ctypes.c_size_t),
        ("index", ctypes.c_uint64),
        ("seconds", ctypes.c_double),
    ]


FRAME_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.POINTER(View))


def main() -> None:
    libengine, librender, cli, avatar = sys.argv[1:5]
    engine = ctypes.CDLL(libengine, mode=ctypes.RTLD_GLOBAL)
    engine.engine_last_error.restype = ctypes.c_char_p
    engine.engine_status_name.restype = ctypes.c_char_p
    engine.engine_library_version.restype = ctypes.c_uint32
    model = f"{avatar}/checkpoint/model_best.onnx"

    with tempfile.TemporaryDirectory() as work:
        expected_file = pathlib.Path(work) / "cli.raw"
        subprocess.run(
            [cli, "render", avatar, "--quiet", "-o", f"raw:{expected_file}"], check=True
        )
        expected = expected_file.read_bytes()

        # The function of the example in C.
        render = ctypes.CDLL(librender).render
        render.argtypes = [ctypes.c_char_p] * 3 + [ctypes.POINTER(ctypes.c_uint64)]
        file = pathlib.Path(work) / "c.raw"
        frames = ctypes.c_uint64()
        status = render(
            avatar.encode(), model.encode(), str(file).encode(), ctypes.byref(frames)
        )
        assert (status, frames.value) == (OK, 12), (status, frames.value)
        assert file.read_bytes() == expected, "render() gives other bytes than engine-cli"
        assert render(avatar.encode(), b"/nowhere.onnx", b"/dev/null", None) == BACKEND
        assert b"/nowhere.onnx" in engine.engine_last_error()

    # The library itself. The options are opaque here: filled in by the library, passed on as they are.
    version = engine.engine_library_version()
    options = ctypes.create_string_buffer(1024)
    assert engine.engine_options_init(options, ctypes.c_uint32(version + (1 << 12))) == VERSION_MISMATCH
    assert engine.engine_options_init(options, ctypes.c_uint32(version)) == OK
    pipeline = ctypes.c_void_p()
    assert engine.engine_pipeline_open(None, options, ctypes.byref(pipeline)) == INVALID_ARGUMENT
    assert engine.engine_last_error() == b"package is null"
    assert engine.engine_status_name(END) == b"END"
    status = engine.engine_pipeline_open(avatar.encode(), options, ctypes.byref(pipeline))
    assert status == OK, engine.engine_last_error()

    got = bytearray()

    @FRAME_CALLBACK
    def collect(_user: object, view: "ctypes._Pointer[View]") -> int:
        frame = view.contents
        assert frame.stride == 3 * frame.width
        got.extend(ctypes.string_at(frame.data, frame.stride * frame.height))
        return OK

    @FRAME_CALLBACK
    def refuse(_user: object, view: "ctypes._Pointer[View]") -> int:
        engine.engine_set_callback_error(b"Python does not like it")
        return CALLBACK if view.contents.index == 4 else OK

    assert engine.engine_pipeline_run(pipeline, collect, None, None) == OK
    assert bytes(got) == expected, "the callback gets other bytes than engine-cli writes"
    assert engine.engine_pipeline_run(pipeline, refuse, None, None) == CALLBACK
    assert b"at frame 4: Python does not like it" in engine.engine_last_error()
    engine.engine_pipeline_destroy(ctypes.byref(pipeline))
    assert pipeline.value is None
    engine.engine_pipeline_destroy(ctypes.byref(pipeline))
    print("12 frames are the same, from C and from Python")


main()
