/* The engine for programs in C, and in every language that can call C.
 *
 * A pipeline is opened from an avatar package and a network, is fed rows of audio features, and
 * gives composited frames. C++ programs have the same as classes in <engine/engine.hpp>.
 *
 * Frames are 8-bit BGR, top row first. Rows of features are 512 floats, 25 rows a second; frame k
 * belongs to row k.
 *
 * Functions that can fail return an engine_status; engine_last_error() then says why. Nothing is
 * thrown and nothing aborts: null pointers, wrong sizes and calls at the wrong time are errors.
 * What the caller must see to is that a pointer that is not null is what it should be.
 *
 * "Threads" says for each function from where it may be called. "Any" is from any thread, at the
 * same time as other functions on the same object. A callback is a function of the host's that the
 * library calls; it may call everything but what says otherwise. It must not throw or longjmp. */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#define ENGINE_VERSION_MAJOR 0
#define ENGINE_VERSION_MINOR 1
#define ENGINE_VERSION_PATCH 0

/* A version as one number that can be compared. */
#define ENGINE_MAKE_VERSION(major, minor, patch) \
    ((major) * UINT32_C(0x400000) + (minor) * UINT32_C(0x1000) + (patch))

/* The version of this header. */
#define ENGINE_VERSION \
    ENGINE_MAKE_VERSION(ENGINE_VERSION_MAJOR, ENGINE_VERSION_MINOR, ENGINE_VERSION_PATCH)

#if defined(__cplusplus) && __cplusplus >= 201703L
#define ENGINE_NODISCARD [[nodiscard]]
/* Part of a function's type, so that a callback that may throw is not accepted. */
#define ENGINE_NOEXCEPT noexcept
#elif defined(__GNUC__)
#define ENGINE_NODISCARD __attribute__((warn_unused_result))
#define ENGINE_NOEXCEPT
#else
#define ENGINE_NODISCARD
#define ENGINE_NOEXCEPT
#endif

#if defined(__cplusplus)
extern "C" {
#endif

/* How a call went. */
typedef int32_t engine_status;

enum {
    /* Done. */
    ENGINE_OK = 0,
    /* No frame comes any more: all have been pulled. */
    ENGINE_END = 1,
    /* No frame is ready, or none is due before more rows are pushed. */
    ENGINE_NOT_READY = 2,
    /* The host holds as many frames as it may (engine_options.held_frames); release one. */
    ENGINE_EXHAUSTED = 3,
    /* The run was cancelled. */
    ENGINE_CANCELLED = 4,
    /* An argument is null, of a wrong size, or out of range. */
    ENGINE_INVALID_ARGUMENT = 5,
    /* Not now: no run, another run, or inside a callback. */
    ENGINE_INVALID_STATE = 6,
    /* The header is of a version that the library does not fit. */
    ENGINE_VERSION_MISMATCH = 7,
    /* This machine or this build cannot do it. */
    ENGINE_UNSUPPORTED = 8,
    /* The package or its features cannot be read. */
    ENGINE_PACKAGE = 9,
    /* The network cannot be loaded or failed while it ran. */
    ENGINE_BACKEND = 10,
    /* No memory or no threads. */
    ENGINE_NO_RESOURCES = 11,
    /* A callback failed. */
    ENGINE_CALLBACK = 12,
    /* A defect of the library. */
    ENGINE_INTERNAL = 13
};

/* The name of a status, such as "EXHAUSTED"; never null.
 * Threads: any. */
const char *engine_status_name(engine_status status) ENGINE_NOEXCEPT;

/* What was wrong in the latest call that failed on this thread, in words; empty where none has.
 * Names the file, the field and what was expected. Valid until the next call on this thread.
 * Threads: any; each has its own. */
const char *engine_last_error(void) ENGINE_NOEXCEPT;

/* Inside a callback that is about to return something other than ENGINE_OK: says why. The text,
 * which is copied, becomes part of the run's error. Null is ignored.
 * Threads: the callback's. */
void engine_set_callback_error(const char *message) ENGINE_NOEXCEPT;

/* The version of the library, to be compared with ENGINE_VERSION.
 * Threads: any. */
uint32_t engine_library_version(void) ENGINE_NOEXCEPT;

/* Whether the library fits a header of version `header`: before 1.0 the same minor version, later
 * the same major version and no newer minor one. ENGINE_VERSION_MISMATCH where it does not.
 * engine_options_init and engine_pipeline_open check this themselves.
 * Threads: any. */
ENGINE_NODISCARD engine_status engine_check_version(uint32_t header) ENGINE_NOEXCEPT;

enum {
    /* What was found and chosen. */
    ENGINE_LOG_INFO = 0,
    /* Something works, but not as it could. */
    ENGINE_LOG_WARNING = 1
};

/* Takes a line without an end of line, valid during the call. Calls come from any thread, several
 * at the same time. */
typedef void (*engine_log_callback)(void *user, int32_t level, const char *line) ENGINE_NOEXCEPT;

/* Told once that `user` is not used any more, after the last callback has returned. May be null. */
typedef void (*engine_release)(void *user) ENGINE_NOEXCEPT;

/* Sets what takes the lines that the library logs, for the whole process; null takes none, which is
 * so in the beginning. The logger before this one is released when its last call has returned.
 * `release` is called in any case, at once where `callback` is null.
 * Threads: any. */
void engine_set_logger(engine_log_callback callback, void *user,
                       engine_release release) ENGINE_NOEXCEPT;

enum {
    /* The best that is usable here: TensorRT, ONNX Runtime on a GPU, ONNX Runtime on the CPU. The log
     * says which and why. An engine is for TensorRT only. */
    ENGINE_BACKEND_AUTO = 0,
    /* TensorRT on an NVIDIA GPU. Runs engine files; of an ONNX file it makes an engine first, which
     * takes up to minutes, and keeps it in talking-head-engine/engines in $XDG_CACHE_HOME, else in
     * ~/.cache. */
    ENGINE_BACKEND_TENSORRT = 1,
    /* ONNX Runtime. */
    ENGINE_BACKEND_ONNXRUNTIME = 2,
    /* A stand-in for an accelerator: a fixed time per frame, fixed predictions. */
    ENGINE_BACKEND_SIMULATED = 3,
    /* OpenVINO on the processor. */
    ENGINE_BACKEND_OPENVINO = 4
};

enum {
    /* The processor. */
    ENGINE_PROVIDER_DEFAULT = 0,
    ENGINE_PROVIDER_CPU = 1,
    ENGINE_PROVIDER_CUDA = 2
};

/* What the network is computed in. TensorRT takes fp32 and fp16 for the engines that it makes,
 * OpenVINO fp32, bf16 or fp16 where the processor has it, and int8 for a quantized network, ONNX
 * Runtime what the network says. What a backend does not have is refused. */
enum {
    /* fp32, and a quantized network as it is; on a processor what `engine-cli` has found by measuring,
     * where it has (see its --precision). Nothing is measured here. */
    ENGINE_PRECISION_AUTO = 0,
    ENGINE_PRECISION_FP32 = 1,
    ENGINE_PRECISION_FP16 = 2,
    ENGINE_PRECISION_BF16 = 3,
    ENGINE_PRECISION_INT8 = 4
};

enum {
    /* All stages at once. */
    ENGINE_MODE_PIPELINED = 0,
    /* One after the other, as in a plain loop; the baseline for speed-ups. */
    ENGINE_MODE_SEQUENTIAL = 1
};

enum {
    /* The rois and masked rois that the package stores. */
    ENGINE_INPUTS_PACKAGE = 0,
    /* Both are made from the crops. */
    ENGINE_INPUTS_DERIVED = 1
};

enum {
    /* In RAM where they fit the budget, else decoded ahead. */
    ENGINE_STORE_AUTO = 0,
    ENGINE_STORE_RAM = 1,
    ENGINE_STORE_STREAM = 2
};

/* All of them give the same bytes. */
enum {
    /* The fastest of this CPU, or the GPU that runs the network where that is faster: opening then
     * takes a second to measure both. */
    ENGINE_COMPOSITOR_AUTO = 0,
    ENGINE_COMPOSITOR_SCALAR = 1,
    ENGINE_COMPOSITOR_AVX2 = 2,
    ENGINE_COMPOSITOR_AVX512 = 3,
    ENGINE_COMPOSITOR_OPENCV = 4,
    /* The GPU that runs the network; with ENGINE_BACKEND_TENSORRT. */
    ENGINE_COMPOSITOR_CUDA = 5,
    /* The fastest of this CPU. */
    ENGINE_COMPOSITOR_CPU = 6
};

enum { ENGINE_INTERPOLATION_LINEAR = 0, ENGINE_INTERPOLATION_CUBIC = 1 };

/* How a pipeline is made. ENGINE_OPTIONS_INIT fills in the defaults, which are in brackets below.
 * Paths are as the system takes them; null ones are the default. */
typedef struct engine_options {
    /* The version of the header; ENGINE_OPTIONS_INIT sets it. */
    uint32_t version;
    /* ENGINE_BACKEND_... [auto] */
    int32_t backend;
    /* The network: an ONNX file or an engine [what the package names]. */
    const char *model;
    /* Time per frame of the simulated backend, milliseconds, 0 to 60000 [8.18]. */
    double simulated_ms;
    /* The ONNX Runtime library [$ORT_DYLIB_PATH, else .deps/onnxruntime/lib above the program]. */
    const char *onnxruntime_library;
    /* ENGINE_PROVIDER_..., where ONNX Runtime computes [default]. */
    int32_t provider;
    /* The GPU, 0 to 63 [0]. */
    int32_t device;
    /* CPU threads that run the network, at most 1024; 0 is what the profile says, else one a core, and 1
     * on a GPU [0]. */
    uint32_t threads;
    /* Batches that are on the GPU at one time, 1 to 8 [2]. */
    uint32_t lanes;
    /* The folder with the TensorRT libraries [the usual places]. */
    const char *tensorrt_folder;
    /* The profile: a file that `engine-cli tune` wrote, or "none". It says what runs the network and how;
     * with a file, none of backend, provider, precision, threads and streams may be given [the one that
     * `engine-cli tune` kept for this network, package and machine, if there is one and none of them is
     * given]. */
    const char *profile;
    /* The OpenVINO library, libopenvino_c.so, or its folder [$OPENVINO_DYLIB_PATH, else
     * .deps/openvino/lib above the program, else the usual places]. */
    const char *openvino_library;
    /* Frames that OpenVINO computes at one time, each with its part of the threads, at most 1024; 0 is
     * what the profile says, else as many as share the threads evenly, 4 at most [0]. */
    uint32_t streams;
    /* Whether TensorRT replays the network as a CUDA graph [1]. */
    int32_t cuda_graphs;
    /* ENGINE_PRECISION_... [auto] */
    int32_t precision;
    /* Whether an engine file may bring code that runs in this process, as version-compatible ones
     * do: 1 only for engines that you would run as a program [0]. */
    int32_t trust_engine;
    /* ENGINE_MODE_... [pipelined] */
    int32_t mode;
    /* Frames per run of the network, at most 256; 0 is what the profile says, else 4 [0]. */
    uint32_t batch;
    /* Threads that composite, at most 256; 0 is what the profile says, else the smaller of batch and
     * cores [0]. */
    uint32_t workers;
    /* ENGINE_INPUTS_... [package] */
    int32_t inputs;
    /* ENGINE_STORE_..., where the package's frames are kept [auto]. */
    int32_t frame_store;
    /* Bytes that they may take in RAM [1 GiB]. */
    uint64_t ram_budget;
    /* Bytes of the GPU's memory that they may take with ENGINE_COMPOSITOR_CUDA; 0 is a quarter of it
     * [0]. */
    uint64_t region_budget;
    /* ENGINE_COMPOSITOR_... [auto] */
    int32_t compositor;
    /* ENGINE_INTERPOLATION_..., how crops are resized [linear]. */
    int32_t interpolation;
    /* Frames that wait to be pulled before the pipeline does, 1 to 256 [4]. */
    uint32_t queued_frames;
    /* Frames that the host may hold at one time, 1 to 256; a pull that waits counts as one [8]. */
    uint32_t held_frames;
    /* Rows that can be pushed ahead of the frames, at least; 1 to 1048576 [1024]. */
    uint32_t pushed_rows;
    /* Must be 0. */
    uint32_t reserved;
} engine_options;

/* Fills in the defaults. `header` is ENGINE_VERSION; where the library does not fit it, nothing is
 * written. Use ENGINE_OPTIONS_INIT.
 * Threads: any. */
ENGINE_NODISCARD engine_status engine_options_init(engine_options *options,
                                                   uint32_t header) ENGINE_NOEXCEPT;

#define ENGINE_OPTIONS_INIT(options) engine_options_init((options), ENGINE_VERSION)

/* A look at a finished frame. Whoever gave it says for how long the pixels are there. */
typedef struct engine_frame_view {
    /* The first byte of the top row: B, G, R of the first pixel, and so on. */
    const uint8_t *data;
    /* Pixels in a row. */
    size_t width;
    /* Rows. */
    size_t height;
    /* Bytes from one row to the next, at least 3 * width. */
    size_t stride;
    /* Position in the run, from 0. */
    uint64_t index;
    /* Time stamp: seconds since the run's first frame, by the package's frame rate. */
    double seconds;
} engine_frame_view;

/* A frame that the host holds. It stays valid until it is released, also when the pipeline it came
 * from is gone. */
typedef struct engine_frame engine_frame;

/* Looks at a frame, without copying: `view` is valid until the frame is released.
 * Threads: any. */
ENGINE_NODISCARD engine_status engine_frame_get(const engine_frame *frame,
                                                engine_frame_view *view) ENGINE_NOEXCEPT;

/* Gives a frame back and sets the pointer to null. A null pointer, or a pointer to one, is ignored.
 * Threads: any, one call a frame. */
void engine_frame_release(engine_frame **frame) ENGINE_NOEXCEPT;

/* Takes a finished frame, valid during the call. Frames come in order, one at a time, from a thread
 * of the library's. Anything but ENGINE_OK ends the run with ENGINE_CALLBACK. */
typedef engine_status (*engine_frame_callback)(void *user,
                                               const engine_frame_view *view) ENGINE_NOEXCEPT;

/* A set of measurements. Not a number where there are too few: 10 for p90, 20 for p95, 100 for p99,
 * 1 for the others. */
typedef struct engine_summary {
    uint64_t count;
    double mean;
    double p50;
    double p90;
    double p95;
    double p99;
    double max;
} engine_summary;

/* What a run did, as `engine-cli bench` reports it. Times are milliseconds of wall time per frame,
 * one measurement a batch; of a run of pushed rows, of the latest 16384 batches. */
typedef struct engine_statistics {
    /* Frames that were made, with those that were given up when the run was cancelled. */
    uint64_t frames;
    /* Whether the run was cancelled before the host had all its frames. */
    int32_t cancelled;
    /* Always 0. */
    int32_t reserved;
    /* From the first thread's start to the last one's end. */
    double wall_seconds;
    /* Frames per second of that. */
    double frames_per_second;
    /* Running the network. */
    engine_summary inference_ms;
    /* Compositing. */
    engine_summary composite_ms;
    /* Compositing, the time of one worker. */
    engine_summary composite_cpu_ms;
    /* Filling the network's inputs, without waiting for frames or rows. */
    engine_summary assemble_ms;
    /* Handing frames to the host: the callback, or the way into the queue. */
    engine_summary deliver_ms;
} engine_statistics;

/* Frames per second of each stage with nothing else running. */
typedef struct engine_stage_rates {
    /* Decoding ahead; not a number where all frames are in RAM. */
    double decode;
    /* Filling the network's inputs. */
    double assemble;
    /* Running the network; exactly 1000 / simulated_ms where that is simulated. */
    double infer;
    /* Compositing. */
    double composite;
    /* The slowest of them, which no run exceeds. */
    double bound;
} engine_stage_rates;

/* Turns feature rows into frames. It is idle when it is opened, busy from engine_pipeline_start
 * until engine_pipeline_wait has returned, and idle again then, for any number of runs. Each run
 * begins with frame 0. */
typedef struct engine_pipeline engine_pipeline;

/* What a pipeline is. The texts are valid as long as the pipeline. */
typedef struct engine_info {
    /* Size of the frames, pixels. */
    size_t width;
    size_t height;
    /* Frames a second of the package, which the time stamps follow. */
    double frames_per_second;
    /* Frames that the package has to show, forwards and backwards. */
    size_t background_frames;
    /* Side of the network's image input, pixels. */
    size_t network_side;
    /* Frames per run of the network, and threads that composite. */
    size_t batch;
    size_t workers;
    /* What runs the network, as in `engine-cli --backend`, and on what. */
    const char *backend;
    const char *provider;
    /* The package's name. */
    const char *package;
} engine_info;

/* Where the rows of a run come from. */
enum {
    /* The package's own, aud_ave.npy. */
    ENGINE_SPEECH_PACKAGE = 0,
    /* engine_pipeline_push, until engine_pipeline_close_input. A frame is made once the seven rows
     * after its own are there or the input is closed. */
    ENGINE_SPEECH_PUSHED = 1
};

/* Opens the package in the folder `package`. Takes as long as loading the network and, where they
 * are kept in RAM, decoding the package's frames takes. `*pipeline` is null where it fails.
 * Threads: any. */
ENGINE_NODISCARD engine_status engine_pipeline_open(const char *package,
                                                    const engine_options *options,
                                                    engine_pipeline **pipeline) ENGINE_NOEXCEPT;

/* Cancels the run that is under way, waits for its end, and frees the pipeline. The pointer is set
 * to null; a null pointer, or a pointer to one, is ignored. Frames that are held stay valid. Waiting
 * calls in other threads return ENGINE_CANCELLED; no call may begin at the same time.
 * Inside a callback it does not wait: the run ends after the callback has returned, with no further
 * callback but the release, and frees the rest.
 * Threads: any, one call a pipeline. */
void engine_pipeline_destroy(engine_pipeline **pipeline) ENGINE_NOEXCEPT;

/* What the pipeline is.
 * Threads: any. */
ENGINE_NODISCARD engine_status engine_pipeline_info(const engine_pipeline *pipeline,
                                                    engine_info *info) ENGINE_NOEXCEPT;

/* Begins a run of `speech` (ENGINE_SPEECH_...) and returns. Frames go to `callback`; where it is
 * null, they wait to be pulled. `release` may be null; it is told exactly once that `user` is not
 * used any more: before engine_pipeline_wait returns, or at once where this fails.
 * ENGINE_INVALID_STATE where a run has not been waited for.
 * Threads: any. */
ENGINE_NODISCARD engine_status engine_pipeline_start(engine_pipeline *pipeline, int32_t speech,
                                                     engine_frame_callback callback, void *user,
                                                     engine_release release) ENGINE_NOEXCEPT;

/* Appends rows to a run of pushed rows: `rows` x `columns` floats, row after row; `columns` must be
 * 512. Takes as many rows as there is room for, without waiting, and puts their number into
 * `*taken`: push the rest once frames have come out. Nothing is taken where it fails.
 * Threads: any; while another thread is pushing there is room for none. */
ENGINE_NODISCARD engine_status engine_pipeline_push(engine_pipeline *pipeline, const float *values,
                                                    size_t rows, size_t columns,
                                                    size_t *taken) ENGINE_NOEXCEPT;

/* The same, waiting for room until all rows are taken. Somebody else must take the frames
 * meanwhile: a callback, or another thread that pulls.
 * Threads: any, but not inside a callback (ENGINE_INVALID_STATE). */
ENGINE_NODISCARD engine_status engine_pipeline_push_all(engine_pipeline *pipeline,
                                                        const float *values, size_t rows,
                                                        size_t columns) ENGINE_NOEXCEPT;

/* Says that no row follows: the last frames are made, then the run ends. May be repeated.
 * Threads: any; waits for a push that is under way. Inside a callback it is ENGINE_INVALID_STATE
 * instead while there is one. */
ENGINE_NODISCARD engine_status engine_pipeline_close_input(engine_pipeline *pipeline)
    ENGINE_NOEXCEPT;

/* Takes the next frame, waiting for it as long as it takes, also for rows that another thread
 * pushes. ENGINE_END after the last one, ENGINE_EXHAUSTED at once where the host holds all frames
 * that it may, ENGINE_CANCELLED once the run was cancelled, or the error that ended the run.
 * `*frame` is null unless ENGINE_OK is returned.
 * Threads: any; of several threads one pulls after the other. */
ENGINE_NODISCARD engine_status engine_pipeline_pull(engine_pipeline *pipeline,
                                                    engine_frame **frame) ENGINE_NOEXCEPT;

/* The same, but ENGINE_NOT_READY where no further frame can be made of the rows that were pushed:
 * for programs that push and pull in one thread.
 * Threads: as engine_pipeline_pull. */
ENGINE_NODISCARD engine_status engine_pipeline_pull_due(engine_pipeline *pipeline,
                                                        engine_frame **frame) ENGINE_NOEXCEPT;

/* The same, but ENGINE_NOT_READY where none is there yet: never waits.
 * Threads: any. */
ENGINE_NODISCARD engine_status engine_pipeline_try_pull(engine_pipeline *pipeline,
                                                        engine_frame **frame) ENGINE_NOEXCEPT;

/* Asks the run that is under way to end, and returns at once. Frames that have not reached the host
 * are given up; called inside the callback, none follows, else at most one that is on its way.
 * Pushing and pulling return ENGINE_CANCELLED until the run has been waited for. Does nothing where
 * no run is under way. May be repeated.
 * Threads: any. */
ENGINE_NODISCARD engine_status engine_pipeline_cancel(engine_pipeline *pipeline) ENGINE_NOEXCEPT;

/* Waits for the end of a run, and makes the pipeline ready for another. ENGINE_OK also where the
 * run was cancelled, else the error that ended it. `statistics` may be null.
 * A run whose frames are pulled ends when a pull has returned something other than a frame (but
 * ENGINE_NOT_READY and ENGINE_EXHAUSTED) or it was cancelled; before that this returns
 * ENGINE_INVALID_STATE instead of waiting forever.
 * Threads: any, one at a time, but not inside a callback (ENGINE_INVALID_STATE). */
ENGINE_NODISCARD engine_status engine_pipeline_wait(engine_pipeline *pipeline,
                                                    engine_statistics *statistics) ENGINE_NOEXCEPT;

/* Renders the package's own speech: starts, gives each frame to `callback`, which must not be null,
 * and waits. `statistics` may be null.
 * Threads: any, but not inside a callback (ENGINE_INVALID_STATE). */
ENGINE_NODISCARD engine_status engine_pipeline_run(engine_pipeline *pipeline,
                                                   engine_frame_callback callback, void *user,
                                                   engine_statistics *statistics) ENGINE_NOEXCEPT;

/* Measures each stage alone, about two seconds, for the bound that a run can be held against. The
 * pipeline must be idle.
 * Threads: any; engine_pipeline_cancel ends it with ENGINE_CANCELLED. */
ENGINE_NODISCARD engine_status engine_pipeline_measure(engine_pipeline *pipeline,
                                                       engine_stage_rates *rates) ENGINE_NOEXCEPT;

#if defined(__cplusplus)
}
#endif

#endif
