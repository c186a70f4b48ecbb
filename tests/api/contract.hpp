// SPDX-License-Identifier: Apache-2.0
#pragma once
// api/openapi.yaml as a judge: is this answer one that the description allows? It asks the server for the description,
// so that what is judged by is what is served. Of JSON Schema: what RapidJSON knows (draft 4), and `const`.

#include "tests/http/client.hpp"
#include "tests/http/event_stream.hpp"

#include <map>
#include <memory>
#include <rapidjson/document.h>
#include <rapidjson/schema.h>
#include <string>

namespace freshet::outside {

class Contract {
public:
    /// @param text  of /openapi.json. @throws std::runtime_error when it is no JSON.
    explicit Contract(const std::string& text);

    /// Empty if the answer is described; else what is wrong with it.
    /// @param path  as the description writes it: "/v1/jobs/{id}".
    std::string wrong(const std::string& method, const std::string& path, const Answer& answer);
    /// The same for one event of a stream.
    std::string wrong(const StreamEvent& event);
    /// Every "method path" that was judged.
    const std::map<std::string, int>& judged() const { return judged_; }
    /// Every operation of the description, as "get /v1/me".
    std::vector<std::string> operations() const;

private:
    std::string wrong_json(const std::string& pointer, const std::string& json);
    const rapidjson::Value* at(const std::string& pointer) const;

    rapidjson::Document document_;
    std::map<std::string, std::unique_ptr<rapidjson::SchemaDocument>> schemas_; ///< by where they stand
    std::vector<std::unique_ptr<rapidjson::Document>> sources_;                 ///< what the schemas were made from
    std::map<std::string, int> judged_;
};

} // namespace freshet::outside
