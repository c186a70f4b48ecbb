// SPDX-License-Identifier: Apache-2.0
#include "tests/api/contract.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <rapidjson/pointer.h>
#include <rapidjson/stringbuffer.h>
#include <stdexcept>

namespace freshet::outside {

namespace {

using rapidjson::Document;
using rapidjson::Value;

// RapidJSON knows no `const`; an enum of one value says the same.
void const_to_enum(Value& value, Document::AllocatorType& memory)
{
    if (value.IsArray())
        for (Value& item : value.GetArray()) const_to_enum(item, memory);
    if (!value.IsObject()) return;
    for (auto& member : value.GetObject()) const_to_enum(member.value, memory);
    const auto only = value.FindMember("const");
    if (only == value.MemberEnd() || only->value.IsObject()) return;
    Value list{rapidjson::kArrayType};
    list.PushBack(Value{only->value, memory}, memory);
    value.RemoveMember("const");
    value.AddMember("enum", list, memory);
}

std::string escaped(const std::string& token)
{
    std::string out;
    for (const char c : token) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
    return out;
}

std::string type_of(const Answer& answer)
{
    const std::string type = answer.header("content-type");
    return type.substr(0, type.find(';'));
}

} // namespace

Contract::Contract(const std::string& text)
{
    document_.Parse(text.data(), text.size());
    if (document_.HasParseError()) throw std::runtime_error{"the description is no JSON"};
    const_to_enum(document_, document_.GetAllocator());
}

const Value* Contract::at(const std::string& pointer) const
{
    return rapidjson::Pointer{pointer.c_str()}.Get(document_);
}

std::string Contract::wrong_json(const std::string& pointer, const std::string& json)
{
    auto& schema = schemas_[pointer];
    if (!schema) {
        // The schema by itself, with what it refers to beside it.
        auto source = std::make_unique<Document>();
        source->CopyFrom(*at(pointer), source->GetAllocator());
        if (source->IsObject() && source->HasMember("$ref") && source->MemberCount() == 1) {
            Value all{rapidjson::kArrayType};
            Value inner{*source, source->GetAllocator()};
            all.PushBack(inner, source->GetAllocator());
            source->SetObject();
            source->AddMember("allOf", all, source->GetAllocator());
        }
        source->AddMember("components", Value{document_["components"], source->GetAllocator()}, source->GetAllocator());
        schema = std::make_unique<rapidjson::SchemaDocument>(*source);
        sources_.push_back(std::move(source));
    }
    Document value;
    value.Parse(json.data(), json.size());
    if (value.HasParseError()) return "it is no JSON";
    rapidjson::SchemaValidator validator{*schema};
    if (value.Accept(validator)) return {};
    rapidjson::StringBuffer in_schema, in_value;
    validator.GetInvalidSchemaPointer().StringifyUriFragment(in_schema);
    validator.GetInvalidDocumentPointer().StringifyUriFragment(in_value);
    return fmt::format("{} breaks \"{}\" of {}{}: {}", in_value.GetString(), validator.GetInvalidSchemaKeyword(),
                       pointer, in_schema.GetString(), json.substr(0, 1500));
}

std::string Contract::wrong(const std::string& method, const std::string& path, const Answer& answer)
{
    ++judged_[method + " " + path];
    const std::string operation = fmt::format("/paths/{}/{}/responses", escaped(path), method);
    if (at(operation) == nullptr) return fmt::format("{} {} is not described", method, path);
    std::string response = fmt::format("{}/{}", operation, answer.status);
    if (at(response) == nullptr) response = operation + "/default";
    const Value* described = at(response);
    if (described == nullptr) return fmt::format("{} {} may not answer {}", method, path, answer.status);
    if (described->HasMember("$ref")) {
        response = std::string{(*described)["$ref"].GetString()}.substr(1);
        described = at(response);
    }
    if (!described->HasMember("content"))
        return answer.body.empty() ? "" : fmt::format("{} should have no body", answer.status);
    const std::string type = type_of(answer);
    if (!(*described)["content"].HasMember(type.c_str()))
        return fmt::format("{} {} may not answer {} as {}", method, path, answer.status, type);
    if (described->HasMember("headers"))
        for (const auto& header : (*described)["headers"].GetObject()) {
            std::string name = header.name.GetString();
            std::ranges::transform(name, name.begin(), [](char c) {
                return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
            });
            if (name != "age" && name != "cache-status" && name != "etag" && answer.header(name).empty())
                return fmt::format("{} is missing", name);
        }
    if (type != "application/json" && !type.ends_with("+json")) return {};
    return wrong_json(fmt::format("{}/content/{}/schema", response, escaped(type)), answer.body);
}

std::string Contract::wrong(const StreamEvent& event)
{
    std::string name = "event" + event.event;
    name[5] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[5])));
    const std::string pointer = "/components/schemas/" + name;
    if (at(pointer) == nullptr) return fmt::format("event {} is not described", event.event);
    ++judged_["event " + event.event];
    return wrong_json(pointer, event.data);
}

std::vector<std::string> Contract::operations() const
{
    std::vector<std::string> all;
    for (const auto& path : document_["paths"].GetObject())
        for (const auto& method : path.value.GetObject())
            if (std::string_view{method.name.GetString()} != "parameters")
                all.push_back(fmt::format("{} {}", method.name.GetString(), path.name.GetString()));
    return all;
}

} // namespace freshet::outside
