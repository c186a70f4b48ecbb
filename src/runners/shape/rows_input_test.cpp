// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/rows_input.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet {

using testing::HasSubstr;

TEST(Csv, NamesCellsByTheHeader)
{
    EXPECT_EQ(json_of_csv("name,price\r\nbread,12.50\r\nמלפפון,7\r\n").value(),
              R"([{"name":"bread","price":12.50},{"name":"מלפפון","price":7}])");
    EXPECT_EQ(json_of_csv("a,b").value(), "[]");
}

TEST(Csv, TakesQuotesCommasAndLineEndsInsideQuotes)
{
    EXPECT_EQ(json_of_csv("a,b\n\"x, \"\"y\"\"\",\"two\r\nlines\"\n\"\",\n").value(),
              R"([{"a":"x, \"y\"","b":"two\r\nlines"},{"a":"","b":""}])");
}

TEST(Csv, LeavesQuotedNumbersAndLeadingZerosText)
{
    EXPECT_EQ(json_of_csv("zip,n\n\"12345\",007\n").value(), R"([{"zip":"12345","n":"007"}])");
}

TEST(Csv, FindsSemicolonsAndTabsInTheHeader)
{
    EXPECT_EQ(json_of_csv("a;b\n1,5;2\n").value(), R"([{"a":"1,5","b":2}])");
    EXPECT_EQ(json_of_csv("a\tb\nx\ty z\n").value(), R"([{"a":"x","b":"y z"}])");
    EXPECT_EQ(json_of_csv("\"a;b\",c\n1,2\n").value(), R"([{"a;b":1,"c":2}])");
}

TEST(Csv, NamesNamelessColumnsAndSkipsEmptyLines)
{
    EXPECT_EQ(json_of_csv(",b\n\n1,2\n\n").value(), R"([{"column_1":1,"b":2}])");
}

TEST(Csv, RefusesRaggedRowsWithTheirLine)
{
    EXPECT_EQ(json_of_csv("a,b\n1,2\n3\n").error().message, "line 3: 1 cells under a header of 2");
    EXPECT_EQ(json_of_csv("a,b\n\"x\ny\",2\n3,4,5\n").error().message, "line 4: 3 cells under a header of 2");
    EXPECT_EQ(json_of_csv("a,b\n1,2,\n").error().code, ShapeErrorCode::bad_input);
}

TEST(Csv, RefusesBrokenQuotesWithTheirLine)
{
    EXPECT_EQ(json_of_csv("a\n1\n\"open\nand on\n").error().message, "line 3: a quote that is never closed");
    EXPECT_EQ(json_of_csv("a\n\"x\"y\n").error().message, "line 2: text after a closing quote");
    EXPECT_THAT(json_of_csv("a\nx\"y\n").error().message, HasSubstr("line 2: a quote inside a cell"));
}

TEST(Csv, RefusesWhatIsNoCsvAtAll)
{
    EXPECT_THAT(json_of_csv("").error().message, HasSubstr("empty"));
    EXPECT_THAT(json_of_csv("a,a\n1,2\n").error().message, HasSubstr("\"a\" is there twice"));
    EXPECT_THAT(json_of_csv(std::string_view{"a\n\0\n", 4}).error().message, HasSubstr("NUL"));
    EXPECT_THAT(json_of_csv("a\nx\ry\n").error().message, HasSubstr("carriage return"));
    EXPECT_FALSE(json_of_csv(std::string(100'000, ',')).has_value());
}

TEST(Table, ReadsWhatDfPrints)
{
    const char* df = "Filesystem     1K-blocks    Used Available Use% Mounted on\n"
                     "udev             4026244       0   4026244   0% /dev\n"
                     "/dev/nvme0n1p2 490000000 1234567 400000000  57% /media/my disk\n";
    EXPECT_EQ(
        json_of_table(df).value(),
        R"([{"Filesystem":"udev","1K-blocks":4026244,"Used":0,"Available":4026244,"Use%":"0%","Mounted on":"/dev"},)"
        R"({"Filesystem":"/dev/nvme0n1p2","1K-blocks":490000000,"Used":1234567,"Available":400000000,"Use%":"57%","Mounted on":"/media/my disk"}])");
    EXPECT_EQ(json_of_table("Mounted on     Use%\n/dev             0%\n/run/user/1000 100%\n").value(),
              R"([{"Mounted on":"/dev","Use%":"0%"},{"Mounted on":"/run/user/1000","Use%":"100%"}])");
}

TEST(Table, GivesTheLastColumnTheRestOfTheLine)
{
    EXPECT_EQ(json_of_table("\n    PID COMMAND\r\n      1 /sbin/init splash\r\n\r\n   4711 sh -c 'a  b'  \n").value(),
              R"([{"PID":1,"COMMAND":"/sbin/init splash"},{"PID":4711,"COMMAND":"sh -c 'a  b'"}])");
}

TEST(Table, RefusesRowsWithFewerCellsWithTheirLine)
{
    EXPECT_EQ(json_of_table("a b\n1 2\n3\n").error().message, "line 3: 1 cells under a header of 2");
    EXPECT_THAT(json_of_table(" \n").error().message, HasSubstr("empty"));
    EXPECT_THAT(json_of_table("a a\n").error().message, HasSubstr("twice"));
}

TEST(Lines, AreAListWithoutTheirEnds)
{
    EXPECT_EQ(json_of_lines("one\r\n\ntwo \"x\"\n"), R"(["one","","two \"x\""])");
    EXPECT_EQ(json_of_lines(""), "[]");
}

} // namespace freshet
