// SPDX-License-Identifier: Apache-2.0
#pragma once
// The tables of settings as words: `freshet help config` and docs/reference/config.md, which a test keeps current.

#include <string>
#include <string_view>

namespace freshet {

/// For a terminal: every table for an empty `topic`, else one table ("source"), or each setting of that name
/// ("fresh_for", "source.fresh_for", "retry.wait"). Empty if there is none such.
std::string config_help(std::string_view topic = {});

/// The reference page, Markdown.
std::string config_reference();

} // namespace freshet
