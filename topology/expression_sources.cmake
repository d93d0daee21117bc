# The expression language: its own list, so that its sources and the planner's change apart.
set(EXPRESSION_SOURCES
  cel_arithmetic.c cel_check.c cel_compile.c cel_convert.c cel_fold.c cel_functions.c cel_kernels.c
  cel_lexer.c cel_literal.c cel_macro.c cel_math.c cel_names.c cel_parser.c cel_regex.c
  cel_regex_parse.c cel_run.c cel_strings.c cel_time.c cel_types.c cel_value.c expression.c)
