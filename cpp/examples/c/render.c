/* Renders an avatar's own speech to one file of packed BGR frames, pulling frame after frame.
 *
 *     render PACKAGE MODEL FILE */

#include <engine/engine.h>

#include <stdio.h>

/* Rows have no padding in the file, whatever they have in memory. */
static int write_frame(const engine_frame_view *view, FILE *file) {
    size_t y;
    for (y = 0; y < view->height; ++y) {
        const uint8_t *row = view->data + y * view->stride;
        if (fwrite(row, 3, view->width, file) != view->width) return 0;
    }
    return 1;
}

/* Writes every frame of the run that was started; ENGINE_END when all are written. */
static engine_status write_frames(engine_pipeline *pipeline, FILE *file) {
    for (;;) {
        engine_frame *frame = NULL;
        engine_frame_view view;
        int written;
        engine_status status = engine_pipeline_pull(pipeline, &frame);
        if (status != ENGINE_OK) return status;
        status = engine_frame_get(frame, &view);
        written = status == ENGINE_OK && write_frame(&view, file);
        engine_frame_release(&frame);
        if (!written) return status != ENGINE_OK ? status : ENGINE_CALLBACK;
    }
}

/* Renders `package` with `model`, which may be null, into `path`, and puts the number of frames into
 * `*frames`. What the library says of an error goes to stderr. */
engine_status render(const char *package, const char *model, const char *path, uint64_t *frames) {
    engine_options options;
    engine_pipeline *pipeline = NULL;
    engine_statistics statistics;
    FILE *file;
    engine_status status = ENGINE_OPTIONS_INIT(&options);
    options.model = model;
    if (status == ENGINE_OK) status = engine_pipeline_open(package, &options, &pipeline);
    if (status == ENGINE_OK) {
        status = engine_pipeline_start(pipeline, ENGINE_SPEECH_PACKAGE, NULL, NULL, NULL);
    }
    if (status != ENGINE_OK) {
        fprintf(stderr, "render: %s: %s\n", engine_status_name(status), engine_last_error());
        engine_pipeline_destroy(&pipeline);
        return status;
    }

    file = fopen(path, "wb");
    status = file != NULL ? write_frames(pipeline, file) : ENGINE_CALLBACK;
    if (file != NULL && fclose(file) != 0) status = ENGINE_CALLBACK;
    if (status == ENGINE_END) {
        status = engine_pipeline_wait(pipeline, &statistics);
        if (status == ENGINE_OK) *frames = statistics.frames;
    }
    if (status == ENGINE_CALLBACK) {
        fprintf(stderr, "render: %s: cannot be written\n", path);
    } else if (status != ENGINE_OK) {
        fprintf(stderr, "render: %s: %s\n", engine_status_name(status), engine_last_error());
    }
    /* Ends a run that is still under way. */
    engine_pipeline_destroy(&pipeline);
    return status;
}

int main(int argc, char **argv) {
    uint64_t frames = 0;
    if (argc != 4) {
        fprintf(stderr, "usage: render PACKAGE MODEL FILE\n");
        return 2;
    }
    if (render(argv[1], argv[2], argv[3], &frames) != ENGINE_OK) return 1;
    printf("%llu frames\n", (unsigned long long)frames);
    return 0;
}
