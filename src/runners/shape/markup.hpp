// SPDX-License-Identifier: Apache-2.0
#pragma once
// HTML and XML by XPath 1.0 (libxml2).
//
// HTML is read as browsers do: anything goes. XML is read strictly, without network, files, DTDs or declared entities:
// a document that declares an entity is refused before it is used. Runs in a shaping child; threads: one.
//
// Names in XML: the prefixes that the document declares; `default:` for its default namespace; and atom, rss (1.0), dc,
// content, media, itunes, sitemap, xhtml and svg for what these usually mean.

#include "runners/shape/shape.hpp"

#include <string>

namespace freshet {

/// One object of `cells` per node that `rows` selects, in document order; texts when there are no cells. No match is an
/// empty list. The order's format must be html or xml.
/// Refuses bad_input (with a line), bad_program, program_failed, too_large.
ShapeResult<std::string> json_of_markup(const ShapeOrder& order, InputFormat format, const ShapeLimits& limits);

/// Whether `rows` and `cells` are XPath; for ShapeOrder::check_only.
ShapeResult<void> check_xpaths(const ShapeOrder& order);

} // namespace freshet
