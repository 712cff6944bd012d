/* The whole of what Rust sees of libxslt. Every call runs under one lock: the memory counter is global. */
#ifndef GATEPOST_XSLT_SHIM_H
#define GATEPOST_XSLT_SHIM_H

#include <stddef.h>

struct gp_file {
    const char *name; /* as an include writes it, zero-terminated */
    const char *text; /* UTF-8, whatever its XML declaration says */
    size_t length;
};

struct gp_limits {
    size_t memory_bytes;      /* what one call may add to what is alive */
    unsigned long operations; /* XPath and instruction steps of one transformation */
    int template_depth;       /* templates inside templates */
};

struct gp_report {
    int refused_memory;   /* the counter refused an allocation: the call failed, whatever came back */
    int line;             /* of the first error; 0 when unknown */
    char file[256];       /* of the first error; empty when unknown */
    char first[1024];     /* the first error of the parser or of XPath */
    char text[4096];      /* what libxslt itself printed, from the beginning */
    size_t used;          /* bytes of text */
};

struct gp_parameters {
    const char *user;     /* XML of the element <user>, or NULL */
    size_t user_length;
    const char *project;  /* XML of the element <project>, or NULL */
    size_t project_length;
    const char *lang;     /* zero-terminated, or NULL */
};

void gp_init(void);
void *gp_compile(const struct gp_file *files, size_t count, const struct gp_limits *limits, struct gp_report *report);
void gp_free_stylesheet(void *stylesheet);
void *gp_parse(const char *text, size_t length, const struct gp_limits *limits, struct gp_report *report);
void gp_free_document(void *document);
int gp_transform(void *stylesheet, void *document, const struct gp_parameters *parameters, const struct gp_limits *limits,
                 struct gp_report *report, char **out, int *out_length);
void gp_free_bytes(char *bytes);

#endif
