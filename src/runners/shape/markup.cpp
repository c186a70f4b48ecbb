// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/markup.hpp"

#include "runners/shape/json_check.hpp"
#include "runners/shape/text_input.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <libxml/HTMLparser.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/uri.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>
#include <memory>
#include <vector>

namespace freshet {

namespace {

struct FreeDocument {
    void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};
struct FreeHtmlParser {
    void operator()(htmlParserCtxt* parser) const { htmlFreeParserCtxt(parser); }
};
struct FreeXmlParser {
    void operator()(xmlParserCtxt* parser) const { xmlFreeParserCtxt(parser); }
};
struct FreeContext {
    void operator()(xmlXPathContext* context) const { xmlXPathFreeContext(context); }
};
struct FreeExpression {
    void operator()(xmlXPathCompExpr* expression) const { xmlXPathFreeCompExpr(expression); }
};
struct FreeObject {
    void operator()(xmlXPathObject* object) const { xmlXPathFreeObject(object); }
};
struct FreeText {
    void operator()(xmlChar* text) const { xmlFree(text); }
};
using Document = std::unique_ptr<xmlDoc, FreeDocument>;
using Context = std::unique_ptr<xmlXPathContext, FreeContext>;
using Expression = std::unique_ptr<xmlXPathCompExpr, FreeExpression>;
using Object = std::unique_ptr<xmlXPathObject, FreeObject>;
using Text = std::unique_ptr<xmlChar, FreeText>;

const xmlChar* xml(const char* text)
{
    return reinterpret_cast<const xmlChar*>(text);
}
const char* chars(const xmlChar* text)
{
    return text == nullptr ? "" : reinterpret_cast<const char*>(text);
}

// ---- reading

std::unexpected<ShapeError> refused_by(const xmlError* error, std::string_view what)
{
    if (error == nullptr || error->message == nullptr)
        return shape_error(ShapeErrorCode::bad_input, fmt::format("not {}", what));
    return shape_error(ShapeErrorCode::bad_input,
                       fmt::format("not {}: line {}: {}", what, error->line, error->message));
}

ShapeResult<Document> read_html(const std::string& input, const char* charset)
{
    const std::unique_ptr<htmlParserCtxt, FreeHtmlParser> parser{htmlNewParserCtxt()};
    if (!parser) return shape_error(ShapeErrorCode::out_of_memory, "there is not enough memory to read the answer");
    constexpr int options =
        HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET | HTML_PARSE_COMPACT;
    Document document{
        htmlCtxtReadMemory(parser.get(), input.data(), static_cast<int>(input.size()), nullptr, charset, options)};
    if (!document || xmlDocGetRootElement(document.get()) == nullptr)
        return refused_by(xmlCtxtGetLastError(parser.get()), "HTML");
    return document;
}

// Entities that a document declares itself are what "billion laughs" and XXE are made of; feeds need none.
struct EntityWatch {
    bool declared = false;
};

void stop_at_entity(void* context, const xmlChar*, int, const xmlChar*, const xmlChar*, xmlChar*)
{
    auto* parser = static_cast<xmlParserCtxt*>(context);
    static_cast<EntityWatch*>(parser->_private)->declared = true;
    xmlStopParser(parser);
}

ShapeResult<Document> read_xml(const std::string& input, const char* charset)
{
    const std::unique_ptr<xmlParserCtxt, FreeXmlParser> parser{xmlNewParserCtxt()};
    if (!parser) return shape_error(ShapeErrorCode::out_of_memory, "there is not enough memory to read the answer");
    EntityWatch entities;
    parser->_private = &entities;
    parser->sax->entityDecl = stop_at_entity;
    // Not among these, on purpose: NOENT, DTDLOAD, DTDATTR, XINCLUDE, HUGE, RECOVER.
    constexpr int options =
        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA | XML_PARSE_COMPACT;
    Document document{
        xmlCtxtReadMemory(parser.get(), input.data(), static_cast<int>(input.size()), nullptr, charset, options)};
    if (entities.declared)
        return shape_error(ShapeErrorCode::bad_input, "the XML declares entities of its own, which are not taken");
    if (!document || xmlDocGetRootElement(document.get()) == nullptr)
        return refused_by(xmlCtxtGetLastError(parser.get()), "XML");
    return document;
}

ShapeResult<Document> read(const ShapeOrder& order, InputFormat format)
{
    // Without a charset from the header, libxml2 looks for a byte order mark, an XML declaration or a <meta>; without
    // those it would take HTML for Latin-1, while nearly all of it is UTF-8.
    std::string charset = parse_content_type(order.content_type).charset;
    const bool says_itself = std::string_view{order.input}.substr(0, 1024).find("charset") != std::string_view::npos;
    if (charset.empty() && format == InputFormat::html && !says_itself &&
        find_invalid_utf8(order.input) == std::string::npos)
        charset = "utf-8";
    const char* given = charset.empty() ? nullptr : charset.c_str();
    return format == InputFormat::html ? read_html(order.input, given) : read_xml(order.input, given);
}

// ---- evaluating

void resolve_function(xmlXPathParserContext* parser, int arguments)
{
    if (arguments != 1) return xmlXPathErr(parser, XPATH_INVALID_ARITY);
    const bool nothing = parser->value != nullptr && parser->value->type == XPATH_NODESET &&
                         xmlXPathNodeSetIsEmpty(parser->value->nodesetval);
    // An absent link stays absent: the address of nothing is not the page's own.
    if (nothing) return;
    const Text given{xmlXPathPopString(parser)};
    const auto& base = *static_cast<const std::string*>(parser->context->userData);
    const std::string reference{without_space_around(chars(given.get()))};
    Text resolved{xmlBuildURI(xml(reference.c_str()), xml(base.c_str()))};
    if (!resolved) {
        // Addresses with spaces or foreign letters are common; escaped they resolve.
        const Text escaped{xmlURIEscapeStr(xml(reference.c_str()), xml(":/?#[]@!$&'()*+,;=%"))};
        resolved.reset(xmlBuildURI(escaped.get(), xml(base.c_str())));
    }
    valuePush(parser, xmlXPathNewString(resolved ? resolved.get() : xml(reference.c_str())));
}

void keep_message(void* kept, xmlError* error)
{
    auto& words = *static_cast<std::string*>(kept);
    if (words.empty() && error != nullptr) words = chars(xml(error->message));
}

// Some of libxml2's words go to stderr and nowhere else; there is nobody to read them.
void keep_silent(void*, const char*, ...) {}

void register_names(xmlXPathContext& context, xmlDoc* document)
{
    static constexpr std::array<std::pair<const char*, const char*>, 9> usual{{
        {"atom", "http://www.w3.org/2005/Atom"},
        {"rss", "http://purl.org/rss/1.0/"},
        {"dc", "http://purl.org/dc/elements/1.1/"},
        {"content", "http://purl.org/rss/1.0/modules/content/"},
        {"media", "http://search.yahoo.com/mrss/"},
        {"itunes", "http://www.itunes.com/dtds/podcast-1.0.dtd"},
        {"sitemap", "http://www.sitemaps.org/schemas/sitemap/0.9"},
        {"xhtml", "http://www.w3.org/1999/xhtml"},
        {"svg", "http://www.w3.org/2000/svg"},
    }};
    for (const auto& [prefix, name] : usual) xmlXPathRegisterNs(&context, xml(prefix), xml(name));
    xmlNode* root = document == nullptr ? nullptr : xmlDocGetRootElement(document);
    // In document order without recursion; a prefix means what it was first declared to be.
    std::vector<std::string> seen;
    for (xmlNode* node = root; node != nullptr;) {
        for (const xmlNs* ns = node->type == XML_ELEMENT_NODE ? node->nsDef : nullptr; ns != nullptr; ns = ns->next) {
            std::string prefix = ns->prefix == nullptr ? "default" : chars(ns->prefix);
            if (std::ranges::find(seen, prefix) != seen.end() || seen.size() >= 64) continue;
            xmlXPathRegisterNs(&context, xml(prefix.c_str()), ns->href);
            seen.push_back(std::move(prefix));
        }
        if (node->children != nullptr && node->type == XML_ELEMENT_NODE) {
            node = node->children;
            continue;
        }
        while (node != root && node->next == nullptr) node = node->parent;
        node = node == root ? nullptr : node->next;
    }
}

class Evaluator {
public:
    Evaluator(xmlDoc* document, std::string base_url)
        : context_{xmlXPathNewContext(document)}, base_url_{std::move(base_url)}
    {
        context_->userData = &base_url_;
        xmlXPathRegisterFunc(context_.get(), xml("resolve"), resolve_function);
        register_names(*context_, document);
    }
    Evaluator(const Evaluator&) = delete;
    Evaluator& operator=(const Evaluator&) = delete;

    ShapeResult<Expression> compile(std::string_view what, const std::string& text)
    {
        const Listening listening{*this};
        Expression expression{
            text.find('\0') == std::string::npos ? xmlXPathCtxtCompile(context_.get(), xml(text.c_str())) : nullptr};
        if (!expression) return refuse(ShapeErrorCode::bad_program, what, "it is no XPath");
        return expression;
    }

    ShapeResult<Object> evaluate(std::string_view what, const Expression& expression, xmlNode* from)
    {
        const Listening listening{*this};
        context_->node = from;
        Object object{xmlXPathCompiledEval(expression.get(), context_.get())};
        if (!object) return refuse(ShapeErrorCode::program_failed, what, "it cannot be evaluated");
        return object;
    }

    void set_base(std::string base_url) { base_url_ = std::move(base_url); }
    const std::string& base() const { return base_url_; }

private:
    // The context's own handler would be given its userData, which belongs to resolve(): so the thread's handler
    // listens.
    struct Listening {
        explicit Listening(Evaluator& evaluator)
        {
            evaluator.words_.clear();
            xmlSetStructuredErrorFunc(&evaluator.words_, keep_message);
            xmlSetGenericErrorFunc(nullptr, keep_silent);
        }
        ~Listening()
        {
            xmlSetStructuredErrorFunc(nullptr, nullptr);
            xmlSetGenericErrorFunc(nullptr, nullptr);
        }
        Listening(const Listening&) = delete;
        Listening& operator=(const Listening&) = delete;
    };

    std::unexpected<ShapeError> refuse(ShapeErrorCode code, std::string_view what, std::string_view otherwise) const
    {
        return shape_error(code, fmt::format("{}: {}", what, words_.empty() ? otherwise : std::string_view{words_}));
    }

    Context context_;
    std::string base_url_;
    std::string words_;
};

// ---- writing

std::string normalised(std::string_view text)
{
    std::string made;
    bool space = true;
    for (std::size_t i = 0; i < text.size(); ++i) {
        // A no-break space is how HTML pads cells: space like any other.
        const bool no_break = text.substr(i).starts_with("\xC2\xA0");
        if (no_break) ++i;
        const bool blank =
            no_break || text[i] == ' ' || text[i] == '\t' || text[i] == '\r' || text[i] == '\n' || text[i] == '\f';
        if (blank && space) continue;
        made += blank ? ' ' : text[i];
        space = blank;
    }
    if (!made.empty() && made.back() == ' ') made.pop_back();
    return made;
}

void write_text(JsonRowsWriter& rows, xmlChar* owned)
{
    const Text text{owned};
    // libxml2 hands on bytes as they were where an HTML document breaks its own charset.
    rows.text(normalised(with_valid_utf8(chars(text.get()))));
}

void write_value(JsonRowsWriter& rows, xmlXPathObject& value)
{
    switch (value.type) {
    case XPATH_NODESET:
        if (xmlXPathNodeSetIsEmpty(value.nodesetval)) return rows.null();
        xmlXPathNodeSetSort(value.nodesetval);
        return write_text(rows, xmlXPathCastNodeToString(xmlXPathNodeSetItem(value.nodesetval, 0)));
    case XPATH_NUMBER: return rows.real(value.floatval);
    case XPATH_BOOLEAN: return rows.truth(value.boolval != 0);
    default: return write_text(rows, xmlXPathCastToString(&value));
    }
}

struct Cells {
    std::vector<std::string> names;
    std::vector<Expression> expressions;
};

ShapeResult<Cells> compile_cells(Evaluator& evaluator, const ShapeOrder& order)
{
    Cells cells;
    for (const auto& [name, text] : order.cells) {
        ShapeResult<Expression> expression = evaluator.compile("cell " + name, text);
        if (!expression) return std::unexpected(expression.error());
        cells.names.push_back(name);
        cells.expressions.push_back(std::move(*expression));
    }
    return cells;
}

ShapeResult<void> write_row(JsonRowsWriter& rows, Evaluator& evaluator, const Cells& cells, xmlNode* node)
{
    if (cells.names.empty()) {
        write_text(rows, xmlXPathCastNodeToString(node));
        return {};
    }
    rows.start_row();
    for (std::size_t i = 0; i < cells.names.size(); ++i) {
        const ShapeResult<Object> value = evaluator.evaluate("cell " + cells.names[i], cells.expressions[i], node);
        if (!value) return std::unexpected(value.error());
        rows.name(cells.names[i]);
        write_value(rows, **value);
    }
    rows.end_row();
    return {};
}

// An HTML document may move its own base.
void apply_base(Evaluator& evaluator, xmlDoc* document)
{
    const ShapeResult<Expression> expression = evaluator.compile("base", "string(//base/@href)");
    const ShapeResult<Object> href = evaluator.evaluate("base", *expression, xmlDocGetRootElement(document));
    if (!href || (*href)->stringval == nullptr || (*href)->stringval[0] == 0) return;
    const Text resolved{xmlBuildURI((*href)->stringval, xml(evaluator.base().c_str()))};
    if (resolved) evaluator.set_base(chars(resolved.get()));
}

} // namespace

ShapeResult<std::string> json_of_markup(const ShapeOrder& order, InputFormat format, const ShapeLimits& limits)
{
    const ShapeResult<Document> document = read(order, format);
    if (!document) return std::unexpected(document.error());
    Evaluator evaluator{document->get(), order.base_url};
    const ShapeResult<Expression> rows_expression = evaluator.compile("rows", order.rows);
    if (!rows_expression) return std::unexpected(rows_expression.error());
    const ShapeResult<Cells> cells = compile_cells(evaluator, order);
    if (!cells) return std::unexpected(cells.error());
    if (format == InputFormat::html) apply_base(evaluator, document->get());

    const ShapeResult<Object> matched =
        evaluator.evaluate("rows", *rows_expression, xmlDocGetRootElement(document->get()));
    if (!matched) return std::unexpected(matched.error());
    if ((*matched)->type != XPATH_NODESET)
        return shape_error(ShapeErrorCode::bad_program, "rows: it gives a value, not nodes");
    xmlNodeSet* nodes = (*matched)->nodesetval;
    if (nodes != nullptr) xmlXPathNodeSetSort(nodes);
    JsonRowsWriter rows;
    for (int i = 0; i < xmlXPathNodeSetGetLength(nodes); ++i) {
        if (const auto written = write_row(rows, evaluator, *cells, xmlXPathNodeSetItem(nodes, i)); !written)
            return std::unexpected(written.error());
        if (rows.bytes() > limits.output_bytes_max)
            return shape_error(ShapeErrorCode::too_large,
                               fmt::format("the rows are more than {} bytes", limits.output_bytes_max));
    }
    return std::move(rows).take();
}

ShapeResult<void> check_xpaths(const ShapeOrder& order)
{
    Evaluator evaluator{nullptr, ""};
    if (!order.rows.empty())
        if (const auto rows = evaluator.compile("rows", order.rows); !rows) return std::unexpected(rows.error());
    if (const auto cells = compile_cells(evaluator, order); !cells) return std::unexpected(cells.error());
    return {};
}

} // namespace freshet
