/* XSLT by libxslt with every door shut: spec of the nine rules in docs/templates.md, "What a template cannot do".
   The caller holds one lock around every function here, because libxml2's allocator and error handlers are global. */
#include "shim.h"

#include <libexslt/exslt.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>
#include <libxml/xpathInternals.h>
#include <libxslt/documents.h>
#include <libxslt/imports.h>
#include <libxslt/security.h>
#include <libxslt/transform.h>
#include <libxslt/variables.h>
#include <libxslt/xslt.h>
#include <libxslt/xsltInternals.h>
#include <libxslt/xsltutils.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CDATA becomes text, as xsltproc reads it; no entities, no DTD, no network, no huge documents. */
#define PARSE_OPTIONS (XML_PARSE_NOCDATA | XML_PARSE_NONET)
#define SCHEME "tmpl:/"

/* --- memory: counted, and refused past the limit of the call --- */

static size_t alive_bytes;
static size_t allowed_bytes = (size_t)-1;
static int refused;

static int over(size_t more) {
    if (more > allowed_bytes || alive_bytes > allowed_bytes - more) {
        refused = 1;
        return 1;
    }
    return 0;
}

static void *counted_malloc(size_t size) {
    if (over(size)) return NULL;
    void *block = malloc(size);
    if (block) alive_bytes += malloc_usable_size(block);
    return block;
}

static void counted_free(void *block) {
    if (!block) return;
    size_t size = malloc_usable_size(block);
    alive_bytes -= size < alive_bytes ? size : alive_bytes;
    free(block);
}

static void *counted_realloc(void *block, size_t size) {
    if (!block) return counted_malloc(size);
    size_t before = malloc_usable_size(block);
    if (size > before && over(size - before)) return NULL;
    void *after = realloc(block, size);
    if (after) alive_bytes = alive_bytes - (before < alive_bytes ? before : alive_bytes) + malloc_usable_size(after);
    return after;
}

static char *counted_strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = counted_malloc(size);
    if (copy) memcpy(copy, text, size);
    return copy;
}

/* --- what was said --- */

static void on_structured(void *user, xmlErrorPtr error) {
    struct gp_report *report = user;
    if (!error || error->level < XML_ERR_ERROR || report->first[0]) return;
    const char *message = error->message ? error->message : "unknown error";
    if (error->domain == XML_FROM_XPATH && error->str1)
        snprintf(report->first, sizeof report->first, "%s in `%s`", message, error->str1);
    else
        snprintf(report->first, sizeof report->first, "%s", message);
    if (error->file && !report->file[0]) snprintf(report->file, sizeof report->file, "%s", error->file);
    if (!report->line) report->line = error->line;
}

static void on_text(void *user, const char *format, ...) {
    struct gp_report *report = user;
    size_t room = sizeof report->text - report->used;
    if (room < 2) return;
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(report->text + report->used, room, format, arguments);
    va_end(arguments);
    if (wanted > 0) report->used += (size_t)wanted < room ? (size_t)wanted : room - 1;
}

static void begin(const struct gp_limits *limits, struct gp_report *report) {
    refused = 0;
    allowed_bytes = alive_bytes + limits->memory_bytes;
    xmlSetStructuredErrorFunc(report, on_structured);
    xmlSetGenericErrorFunc(report, on_text);
    xsltSetGenericErrorFunc(report, on_text);
}

static void end(struct gp_report *report) {
    report->refused_memory = refused;
    allowed_bytes = (size_t)-1;
    xmlSetStructuredErrorFunc(NULL, NULL);
    xmlResetLastError();
}

/* --- reading --- */

static void refuse_doctype(void *context, const xmlChar *name, const xmlChar *public_id, const xmlChar *system_id) {
    (void)name, (void)public_id, (void)system_id;
    xmlParserCtxtPtr parser = context;
    on_text(xmlGenericErrorContext, "a DOCTYPE is not allowed\n");
    xmlStopParser(parser);
    parser->wellFormed = 0;
}

static xmlDocPtr read_text(const char *text, size_t length, const char *address, xmlDictPtr dict) {
    if (length > 0x7fffffff) return NULL;
    xmlParserCtxtPtr parser = xmlNewParserCtxt();
    if (!parser) return NULL;
    if (dict) { /* names must come from the stylesheet's own dictionary, or parameters differ silently */
        if (parser->dict) xmlDictFree(parser->dict);
        parser->dict = dict;
        xmlDictReference(dict);
    }
    parser->sax->internalSubset = refuse_doctype;
    parser->sax->externalSubset = refuse_doctype;
    xmlDocPtr document = xmlCtxtReadMemory(parser, text, (int)length, address, "UTF-8", PARSE_OPTIONS);
    xmlFreeParserCtxt(parser);
    return document;
}

static xmlParserInputPtr deny_entity(const char *address, const char *id, xmlParserCtxtPtr parser) {
    (void)address, (void)id, (void)parser;
    return NULL;
}

struct bundle {
    const struct gp_file *files;
    size_t count;
};

static const struct gp_file *find(const struct bundle *bundle, const char *name) {
    for (size_t i = 0; i < bundle->count; i++)
        if (strcmp(bundle->files[i].name, name) == 0) return &bundle->files[i];
    return NULL;
}

/* A bundle names its files as the includes write them: `tmpl:/b/c.xslt` may be `b/c.xslt`, `c.xslt` or `tmpl:c.xslt`. */
static const struct gp_file *file_of(const struct bundle *bundle, const char *address) {
    const struct gp_file *found = find(bundle, address);
    const char *name = address + sizeof "tmpl:" - 1;
    while (*name == '/') name++;
    while (!found) {
        found = find(bundle, name);
        const char *slash = strchr(name, '/');
        if (!slash) break;
        name = slash + 1;
    }
    return found;
}

/* Only includes and imports of a stylesheet that is being compiled, and only from its own bundle. */
static xmlDocPtr load(const xmlChar *address, xmlDictPtr dict, int options, void *context, xsltLoadType type) {
    (void)options;
    if (type != XSLT_LOAD_STYLESHEET || !context) return NULL;
    xsltStylesheetPtr top = context;
    while (top->parent) top = top->parent;
    const struct bundle *bundle = top->_private;
    if (!bundle || strncmp((const char *)address, "tmpl:", sizeof "tmpl:" - 1) != 0) return NULL;
    const struct gp_file *file = file_of(bundle, (const char *)address);
    return file ? read_text(file->text, file->length, (const char *)address, dict) : NULL;
}

/* --- the entry points --- */

void gp_init(void) {
    xmlMemSetup(counted_free, counted_malloc, counted_realloc, counted_strdup);
    xmlInitParser();
    xsltInit();
    exsltCommonRegister();
    exsltMathRegister();
    exsltSetsRegister();
    exsltStrRegister();
    exsltDateRegister();
    exsltFuncRegister();
    xmlSetExternalEntityLoader(deny_entity);
    xsltSetLoaderFunc(load);
}

/* Text is handed on as UTF-8, so a stylesheet's other encoding becomes UTF-8, in its meta element too. */
static void write_utf8(xsltStylesheetPtr top) {
    const xmlChar *declared = NULL;
    for (xsltStylesheetPtr at = top; at && !declared; at = xsltNextImport(at)) declared = at->encoding;
    if (!declared || xmlStrcasecmp(declared, BAD_CAST "UTF-8") == 0) return;
    if (top->encoding) xmlFree(top->encoding);
    top->encoding = xmlStrdup(BAD_CAST "UTF-8");
}

void *gp_compile(const struct gp_file *files, size_t count, const struct gp_limits *limits, struct gp_report *report) {
    begin(limits, report);
    struct bundle bundle = {files, count};
    xsltStylesheetPtr stylesheet = xsltNewStylesheet();
    xmlDocPtr document = NULL;
    if (stylesheet) {
        char address[300];
        snprintf(address, sizeof address, SCHEME "%s", files[0].name);
        stylesheet->_private = &bundle;
        document = read_text(files[0].text, files[0].length, address, stylesheet->dict);
    }
    int good = document && xsltParseStylesheetUser(stylesheet, document) == 0 && stylesheet->errors == 0 && !refused;
    if (good) {
        stylesheet->_private = NULL;
        write_utf8(stylesheet);
    } else if (stylesheet) {
        int ours = document && stylesheet->doc != document;
        xsltFreeStylesheet(stylesheet);
        if (ours) xmlFreeDoc(document);
    }
    end(report);
    return good ? stylesheet : NULL;
}

void gp_free_stylesheet(void *stylesheet) { xsltFreeStylesheet(stylesheet); }

void *gp_parse(const char *text, size_t length, const struct gp_limits *limits, struct gp_report *report) {
    begin(limits, report);
    xmlDocPtr document = read_text(text, length, "notice", NULL);
    if (document && refused) {
        xmlFreeDoc(document);
        document = NULL;
    }
    end(report);
    return document;
}

void gp_free_document(void *document) { xmlFreeDoc(document); }

static int forbid_all(xsltTransformContextPtr context, xsltSecurityPrefsPtr doors) {
    static const xsltSecurityOption all[] = {XSLT_SECPREF_READ_FILE, XSLT_SECPREF_WRITE_FILE, XSLT_SECPREF_CREATE_DIRECTORY,
                                             XSLT_SECPREF_READ_NETWORK, XSLT_SECPREF_WRITE_NETWORK};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (xsltSetSecurityPrefs(doors, all[i], xsltSecurityForbid) != 0) return 0;
    return xsltSetCtxtSecurityPrefs(doors, context) == 0;
}

/* The value of a hidden variable: the one node that is being made a parameter. */
static xmlXPathObjectPtr hidden_node(void *node, const xmlChar *name, const xmlChar *namespace) {
    (void)name, (void)namespace;
    return xmlXPathNewNodeSet(node);
}

static xmlDocPtr node_parameter(xsltTransformContextPtr context, const char *name, const char *text, size_t length) {
    if (!text) return NULL;
    xmlDocPtr document = read_text(text, length, name, NULL);
    if (!document) return NULL;
    xmlXPathRegisterVariableLookup(context->xpathCtxt, hidden_node, xmlDocGetRootElement(document));
    xsltEvalOneUserParam(context, BAD_CAST name, BAD_CAST "$node");
    xmlXPathRegisterVariableLookup(context->xpathCtxt, xsltXPathVariableLookup, context);
    return document;
}

static int apply(xsltTransformContextPtr context, xsltStylesheetPtr stylesheet, xmlDocPtr document, char **out, int *out_length) {
    xmlDocPtr result = xsltApplyStylesheetUser(stylesheet, document, NULL, NULL, NULL, context);
    int good = result && context->state == XSLT_STATE_OK && !refused;
    if (good) good = xsltSaveResultToString((xmlChar **)out, out_length, result, stylesheet) == 0 && !refused;
    if (result) xmlFreeDoc(result);
    return good;
}

int gp_transform(void *stylesheet, void *document, const struct gp_parameters *parameters, const struct gp_limits *limits,
                 struct gp_report *report, char **out, int *out_length) {
    begin(limits, report);
    *out = NULL;
    *out_length = 0;
    int good = 0;
    xsltSecurityPrefsPtr doors = xsltNewSecurityPrefs();
    xsltTransformContextPtr context = xsltNewTransformContext(stylesheet, document);
    if (doors && context && forbid_all(context, doors)) {
        xsltSetTransformErrorFunc(context, report, on_text);
        context->opLimit = limits->operations;
        context->xpathCtxt->opLimit = limits->operations;
        context->maxTemplateDepth = limits->template_depth;
        xmlDocPtr user = node_parameter(context, "user", parameters->user, parameters->user_length);
        xmlDocPtr project = node_parameter(context, "project", parameters->project, parameters->project_length);
        if (parameters->lang) xsltQuoteOneUserParam(context, BAD_CAST "lang", BAD_CAST parameters->lang);
        good = apply(context, stylesheet, document, out, out_length);
        xsltFreeTransformContext(context);
        context = NULL;
        if (user) xmlFreeDoc(user);
        if (project) xmlFreeDoc(project);
    }
    if (context) xsltFreeTransformContext(context);
    if (doors) xsltFreeSecurityPrefs(doors);
    if (!good && *out) {
        xmlFree(*out);
        *out = NULL;
    }
    end(report);
    return good;
}

void gp_free_bytes(char *bytes) { xmlFree(bytes); }
