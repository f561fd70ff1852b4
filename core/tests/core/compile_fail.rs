//! What must not compile, and what the compiler then says.

#[test]
fn mistakes_that_must_not_compile_do_not() {
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
