//! Columns as the docker CLI lines them up.

/// The least width of a column, its gap included.
const WIDTH_MIN: usize = 10;
/// The spaces between two columns.
const GAP: usize = 3;

/// Lines up rows, whose cells are separated by tabs; the last cell of a row is not padded.
pub(crate) fn align(rows: &[String]) -> String {
    columns(rows, WIDTH_MIN)
}

/// Lines up rows, whose cells are separated by tabs, in columns of at least a width, their gap included.
pub fn columns(rows: &[String], width_min: usize) -> String {
    let cells: Vec<Vec<&str>> = rows.iter().map(|row| row.split('\t').collect()).collect();
    let count = cells.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|column| {
            let inner =
                cells.iter().filter(|row| column + 1 < row.len()).map(|row| row[column].chars().count());
            inner.max().map_or(0, |widest| (widest + GAP).max(width_min))
        })
        .collect();
    let mut out = String::new();
    for row in &cells {
        for (column, cell) in row.iter().enumerate() {
            if column + 1 < row.len() {
                let width = widths[column];
                out.push_str(&format!("{cell:<width$}"));
            } else {
                out.push_str(cell);
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_as_dockers() {
        let rows = ["ID\tNAME\tPORTS", "abcdefghijkl\tweb\t", "x\tü\t*:80->80/tcp"].map(str::to_owned);

        assert_eq!(
            align(&rows),
            "ID             NAME      PORTS\nabcdefghijkl   web       \nx              ü         *:80->80/tcp\n"
        );
    }
}
