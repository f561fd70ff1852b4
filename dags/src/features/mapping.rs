//! One task becomes many: over constants, over what another returned, over two lists, as a group.

use tidemill::prelude::*;

use super::about;

pub(super) fn all() -> Vec<Dag> {
    vec![over_an_output(), cross_and_zip(), mapped_group()]
}

/// The files of a day.
#[task]
fn list_files(day: NaiveDate) -> TaskResult<Vec<String>> {
    Ok((1..=3).map(|nth| format!("{day}/{nth}.csv")).collect())
}

/// How many bytes a file has.
#[task]
fn measure(file: String) -> TaskResult<u64> {
    Ok(file.len() as u64)
}

/// All of them together.
#[task]
fn add_up(sizes: Vec<u64>) -> TaskResult<u64> {
    Ok(sizes.iter().sum())
}

/// How many there are is only known when the list is there. What comes after gets the list of what they returned.
fn over_an_output() -> Dag {
    Dag::build("example_mapping", |dag| {
        about(
            dag,
            "One task a file, over a list that another task returns.",
        );
        let files = dag.call("list_files", list_files, interval::start_date());
        let sizes = dag
            .map("measure", measure, &files)
            .label("{item}")
            .at_most(100)
            .max_active_per_run(2);
        dag.call("add_up", add_up, &sizes);
    })
}

/// A market and a year.
#[task]
fn pair(market: String, year: u32) -> TaskResult<String> {
    Ok(format!("{market} {year}"))
}

/// Two lists: each with each, or walked together.
fn cross_and_zip() -> Dag {
    Dag::build("example_mapping_lists", |dag| {
        about(dag, "Two lists, crossed and zipped.");
        dag.map(
            "cross",
            pair,
            (each(["eu", "us"]), each([2023_u32, 2024, 2025])),
        );
        dag.map("zip", pair, zip(["eu", "us"], [2024_u32, 2025]));
        dag.map("same_year", pair, (each(["eu", "us"]), 2025));
    })
}

/// Loads what was fetched.
#[task]
fn load(file: String, bytes: u64) -> TaskResult<String> {
    Ok(format!("{bytes} bytes of {file}"))
}

/// A group becomes many: the second task of an instance waits for the first of the same one alone.
fn mapped_group() -> Dag {
    Dag::build("example_mapped_group", |dag| {
        about(dag, "Two tasks a file, hand in hand.");
        let files = dag.call("list_files", list_files, interval::start_date());
        let loaded = dag.map_group("file", &files, |group, file: In<String>| {
            let bytes = group.call("measure", measure, &file);
            group.call("load", load, (&file, &bytes))
        });
        dag.empty("all_loaded").after(&loaded);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidemill::testing::{DagRun, TaskState, valid};

    #[test]
    fn there_are_as_many_as_the_list_has_elements() {
        let dag = valid(over_an_output());
        let ran = DagRun::of(&dag).run();
        assert_eq!(ran.outputs::<u64>("measure"), [16, 16, 16]);
        assert_eq!(ran.output::<u64>("add_up"), 48);
        let ran = DagRun::of(&dag)
            .output_of("list_files", Vec::<String>::new())
            .run();
        ran.assert_success();
        assert_eq!(ran.state("measure"), TaskState::Skipped);
    }

    #[test]
    fn lists_are_crossed_or_zipped() {
        let ran = DagRun::of(&valid(cross_and_zip())).run();
        assert_eq!(ran.outputs::<String>("cross").len(), 6);
        assert_eq!(ran.output::<String>("cross[5]"), "us 2025");
        assert_eq!(ran.outputs::<String>("zip"), ["eu 2024", "us 2025"]);
        assert_eq!(ran.outputs::<String>("same_year"), ["eu 2025", "us 2025"]);
    }

    #[test]
    fn each_instance_of_the_group_has_its_own_file() {
        let ran = DagRun::of(&valid(mapped_group())).run();
        assert_eq!(
            ran.output::<String>("file.load[1]"),
            "16 bytes of 2025-01-01/2.csv"
        );
    }
}
