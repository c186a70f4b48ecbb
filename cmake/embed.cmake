# Writes the C++ file that holds the status page and the API's description: what the binary serves, it has inside.
#   cmake -DOUT=embedded.cpp -DPAGE=src/http/page -DOPENAPI=openapi.json -P embed.cmake
# Script and style carry the hash of their content in their names; the page that names them is given those names.
set(rows "")

# Appends a row for the text in the variable `text`; by name, since its bytes must not pass through CMake's quoting.
function(embed_file name type hashed text)
  string(HEX "${${text}}" hex)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" bytes "${hex}")
  string(REGEX REPLACE "((\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f]))"
    "\\1\"\n    \"" bytes "${bytes}")
  set(rows "${rows}    EmbeddedFile{\"${name}\", \"${type}\", ${hashed},\n    \"${bytes}\"sv},\n" PARENT_SCOPE)
endfunction()

file(READ ${PAGE}/index.html html)
foreach(file page.css page.js)
  file(READ ${PAGE}/${file} content)
  file(SHA256 ${PAGE}/${file} hash)
  string(SUBSTRING ${hash} 0 12 hash)
  get_filename_component(stem ${file} NAME_WE)
  get_filename_component(ending ${file} EXT)
  string(REPLACE "{{${file}}}" "assets/${stem}.${hash}${ending}" html "${html}")
  if(ending STREQUAL ".js")
    set(type "text/javascript; charset=utf-8")
  else()
    set(type "text/css; charset=utf-8")
  endif()
  embed_file("${stem}.${hash}${ending}" "${type}" true content)
endforeach()
embed_file("index.html" "text/html; charset=utf-8" false html)
file(READ ${OPENAPI} openapi)
embed_file("openapi.json" "application/json" false openapi)

file(WRITE ${OUT} "// Made by cmake/embed.cmake.
#include \"http/embedded.hpp\"

#include <array>

using namespace std::string_view_literals;

namespace freshet::http {

namespace {
constexpr std::array files{
${rows}};
} // namespace

std::span<const EmbeddedFile> embedded_files() { return files; }

} // namespace freshet::http
")
