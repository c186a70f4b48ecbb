// SPDX-License-Identifier: Apache-2.0
// Turns a YAML file into JSON, for the build: api/openapi.yaml is written for people, the binary serves JSON.
// Plain scalars that read as JSON numbers, true, false or null are those; everything else is text. No anchors, one
// document.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <rapidjson/document.h>
#include <rapidjson/ostreamwrapper.h>
#include <rapidjson/writer.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <yaml.h>

namespace {

using Writer = rapidjson::Writer<rapidjson::OStreamWrapper>;

std::string_view text_of(const yaml_node_t& node)
{
    return {reinterpret_cast<const char*>(node.data.scalar.value), node.data.scalar.length};
}

bool is_json_word(const yaml_node_t& node)
{
    if (node.data.scalar.style != YAML_PLAIN_SCALAR_STYLE) return false;
    const std::string_view text = text_of(node);
    if (text == "true" || text == "false" || text == "null") return true;
    if (text.empty() || (text[0] != '-' && (text[0] < '0' || text[0] > '9'))) return false;
    rapidjson::Document number;
    number.Parse(text.data(), text.size());
    return !number.HasParseError() && number.IsNumber();
}

void write(yaml_document_t& document, int index, Writer& out)
{
    const yaml_node_t* node = yaml_document_get_node(&document, index);
    if (node == nullptr) throw std::runtime_error{"a node is missing"};
    switch (node->type) {
    case YAML_SCALAR_NODE: {
        const std::string_view text = text_of(*node);
        if (is_json_word(*node))
            out.RawValue(text.data(), text.size(), rapidjson::kNumberType);
        else
            out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
        return;
    }
    case YAML_SEQUENCE_NODE:
        out.StartArray();
        for (const auto* item = node->data.sequence.items.start; item != node->data.sequence.items.top; ++item)
            write(document, *item, out);
        out.EndArray();
        return;
    case YAML_MAPPING_NODE:
        out.StartObject();
        for (const auto* pair = node->data.mapping.pairs.start; pair != node->data.mapping.pairs.top; ++pair) {
            const yaml_node_t* key = yaml_document_get_node(&document, pair->key);
            if (key == nullptr || key->type != YAML_SCALAR_NODE)
                throw std::runtime_error{"a key is no text, line " + std::to_string(node->start_mark.line + 1)};
            const std::string_view name = text_of(*key);
            out.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
            write(document, pair->value, out);
        }
        out.EndObject();
        return;
    case YAML_NO_NODE: break;
    }
    throw std::runtime_error{"an empty node"};
}

void convert(const char* from, const char* to)
{
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file{std::fopen(from, "rb"), &std::fclose};
    if (!file) throw std::runtime_error{"can not be opened"};
    yaml_parser_t parser;
    yaml_document_t document;
    if (yaml_parser_initialize(&parser) == 0) throw std::runtime_error{"no memory"};
    const std::unique_ptr<yaml_parser_t, void (*)(yaml_parser_t*)> end_parser{&parser, &yaml_parser_delete};
    yaml_parser_set_input_file(&parser, file.get());
    if (yaml_parser_load(&parser, &document) == 0)
        throw std::runtime_error{std::string{parser.problem == nullptr ? "unreadable" : parser.problem} + ", line " +
                                 std::to_string(parser.problem_mark.line + 1)};
    const std::unique_ptr<yaml_document_t, void (*)(yaml_document_t*)> end_document{&document, &yaml_document_delete};
    std::ofstream out{to, std::ios::binary};
    rapidjson::OStreamWrapper stream{out};
    Writer writer{stream};
    write(document, 1, writer);
    out.close();
    if (!out) throw std::runtime_error{"the result can not be written"};
}

} // namespace

int main(int count, char** arguments)
{
    if (count != 3) {
        std::cerr << "usage: freshet_yaml_to_json FROM.yaml TO.json\n";
        return 2;
    }
    try {
        convert(arguments[1], arguments[2]);
    } catch (const std::exception& error) {
        std::cerr << arguments[1] << ": " << error.what() << '\n';
        return 1;
    }
    return 0;
}
