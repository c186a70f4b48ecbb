// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which sources and queues are paused, and for whom: for one tenant, or for all.
//
// Life: read from the store's rows, changed with them. Each row is one text: NAME for all tenants, TENANT/NAME for one;
// no name has a '/'. Threads: as its owner's. Always holds: a pause of one tenant is nobody else's (F9).

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

class Pauses {
public:
    Pauses() = default;
    explicit Pauses(const std::vector<std::string>& rows) : rows_{rows.begin(), rows.end()} {}

    /// The row that says that `name` is paused for `tenant`; "*": for all.
    static std::string row(std::string_view tenant, std::string_view name)
    {
        if (tenant == "*") return std::string{name};
        std::string row{tenant};
        row += '/';
        row += name;
        return row;
    }

    static std::string_view name_of(std::string_view row)
    {
        const auto slash = row.find('/');
        return slash == std::string_view::npos ? row : row.substr(slash + 1);
    }

    void put(std::string row, bool paused)
    {
        if (paused)
            rows_.insert(std::move(row));
        else
            rows_.erase(row);
    }

    bool empty() const { return rows_.empty(); }
    bool for_all(std::string_view name) const { return rows_.contains(name); }
    /// By a pause of its own, whatever is paused for all.
    bool for_one(std::string_view tenant, std::string_view name) const { return rows_.contains(row(tenant, name)); }
    bool contains(std::string_view tenant, std::string_view name) const
    {
        return !rows_.empty() && (for_all(name) || for_one(tenant, name));
    }
    bool has_row(std::string_view row) const { return rows_.contains(row); }
    const std::set<std::string, std::less<>>& rows() const { return rows_; }

private:
    std::set<std::string, std::less<>> rows_;
};

} // namespace freshet
