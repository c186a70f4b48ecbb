# Writes the C++ file that holds the style and the script of the server's own pages and the API's description.
#   cmake -DOUT=embedded.cpp -DSTYLE=help.css -DSCRIPT=sign_in.js -DOPENAPI=openapi.json -P embed.cmake
# What the web build makes is embedded by cmake/web.cmake.
set(rows "")

# Appends a row for the text in the variable `text`; by name, since its bytes must not pass through CMake's quoting.
function(embed_file name type hashed text)
  string(HEX "${${text}}" hex)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" bytes "${hex}")
  string(REGEX REPLACE "((\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f])(\\\\x[0-9a-f][0-9a-f]))"
    "\\1\"\n    \"" bytes "${bytes}")
  set(rows "${rows}    EmbeddedFile{\"${name}\", \"${type}\", ${hashed},\n    \"${bytes}\"sv},\n" PARENT_SCOPE)
endfunction()

file(READ ${STYLE} style)
file(SHA256 ${STYLE} hash)
string(SUBSTRING ${hash} 0 12 hash)
embed_file("assets/help-${hash}.css" "text/css; charset=utf-8" true style)
file(READ ${SCRIPT} script)
file(SHA256 ${SCRIPT} hash)
string(SUBSTRING ${hash} 0 12 hash)
embed_file("assets/sign-in-${hash}.js" "text/javascript; charset=utf-8" true script)
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
