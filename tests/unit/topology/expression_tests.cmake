# Tests of the expression language, with the fields and helpers of the fixture.
foreach(file IN ITEMS
    cel_arithmetic cel_check cel_compile cel_convert cel_fold cel_functions cel_kernels cel_lexer
    cel_literal cel_macro cel_math cel_names cel_parser cel_regex cel_regex_parse cel_run
    cel_strings cel_time cel_types cel_value expression)
  mr_unit_test(topology ${file} LINKS mr_expression_fixture)
endforeach()
