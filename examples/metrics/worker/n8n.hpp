// SPDX-License-Identifier: Apache-2.0
#pragma once
// The public API of n8n, as one client's: executions page by page, newest first, one of them by its id, and workflows.
// Every request has its limit in time; what is refused or not understood ends in words that name the client.
// Threads: any.

#include "kit.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace metrics {

struct Execution {
    std::string id, workflow, status;
    std::optional<std::int64_t> started, stopped;

    bool ended() const; ///< it will not change any more
};

struct ExecutionPage {
    std::vector<Execution> rows;
    std::string next; ///< the cursor of the next page; empty: this is the last
};

struct Workflow {
    std::string id, name;
    bool active = false, archived = false;
};

class N8n {
public:
    N8n(freshet::Job& job, std::string client);

    /// @return nothing where the cursor is not known any more.
    std::optional<ExecutionPage> executions(const std::string& cursor);
    /// @return nothing where it was deleted.
    std::optional<Execution> execution(const std::string& id);
    std::vector<Workflow> workflows();

private:
    kit::Answer ask(const std::string& path);
    freshet::Json read(const std::string& path, const kit::Answer& answer);

    freshet::Job& job_;
    std::string client_, who_, base_, key_;
};

} // namespace metrics
