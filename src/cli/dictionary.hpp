// SPDX-License-Identifier: Apache-2.0
#pragma once
// RFC 8941 dictionaries, the form of the `Freshet` header: state=stale, gen=108, refresh=running;id="j_01J9".
//
// Strict as the RFC: one mistake and the whole field counts as absent. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace freshet::cli {

/// A value without its parameters. Tokens, strings and byte sequences are texts; an inner list is kept as empty text.
using BareItem = std::variant<std::int64_t, double, bool, std::string>;

struct DictionaryMember {
    std::string name;
    BareItem value;
    std::vector<std::pair<std::string, BareItem>> params;
};

class Dictionary {
public:
    /// nullopt if the text is none; an empty text is an empty dictionary.
    static std::optional<Dictionary> parse(std::string_view text);

    /// The last member of that name, as the RFC says; null if there is none.
    const DictionaryMember* find(std::string_view name) const;
    std::string text(std::string_view name) const;                          ///< empty if absent or no text
    std::optional<std::int64_t> whole(std::string_view name) const;         ///< nullopt if absent or no integer
    bool yes(std::string_view name) const;                                  ///< ?1
    std::string param(std::string_view name, std::string_view param) const; ///< empty if absent or no text

private:
    std::vector<DictionaryMember> members_;
};

} // namespace freshet::cli
