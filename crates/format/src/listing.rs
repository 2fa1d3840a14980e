//! What `--format` asks for, and rows shown in that way.

use serde_json::Value;

use crate::table;
use crate::template::{Error, Missing, Template};

/// A field of rows that is looked into by key.
const LOOKUP: &str = "Label";

/// A list that can be shown.
pub struct Listing {
    /// Columns of the table, each with its heading, in order.
    pub columns: &'static [(&'static str, &'static str)],
    /// Further fields that templates may use, with their headings.
    pub extra: &'static [(&'static str, &'static str)],
    /// One object per row. Its `Label` is what `{{.Label "key"}}` looks into, and no column.
    pub rows: Vec<Value>,
}

impl Listing {
    /// Shows the rows as `format` asks, or as a table.
    pub fn show(&self, format: Option<&str>) -> Result<String, Error> {
        let format = format.unwrap_or("table").trim().replace("\\t", "\t").replace("\\n", "\n");
        if format == "json" {
            return Ok(self.rows.iter().map(|row| crate::json::compact(&shown(row)) + "\n").collect());
        }
        let Some(columns) = format.strip_prefix("table") else {
            let template = Template::parse(&format, Missing::Refused)?;
            let lines: Result<Vec<_>, _> = self.rows.iter().map(|row| template.render(row)).collect();
            return Ok(lines?.into_iter().map(|line| line + "\n").collect());
        };
        let columns = match columns.trim() {
            "" => self
                .columns
                .iter()
                .map(|(field, _)| format!("{{{{.{field}}}}}"))
                .collect::<Vec<_>>()
                .join("\t"),
            columns => columns.to_owned(),
        };
        let template = Template::parse(&columns, Missing::Refused)?;
        let mut lines = vec![template.render(&self.headings())?];
        for row in &self.rows {
            lines.push(template.render(row)?);
        }
        Ok(table::align(&lines))
    }

    fn headings(&self) -> Value {
        let fields = self.columns.iter().chain(self.extra);
        Value::Object(fields.map(|(field, heading)| ((*field).to_owned(), Value::from(*heading))).collect())
    }
}

/// Returns a row without what is only looked into.
fn shown(row: &Value) -> Value {
    let mut row = row.clone();
    if let Some(fields) = row.as_object_mut() {
        fields.remove(LOOKUP);
    }
    row
}

/// Shows one object as `format` asks: JSON or a template.
pub fn object(value: &Value, format: &str) -> Result<String, Error> {
    if format == "json" {
        return Ok(crate::json::compact(value));
    }
    Template::parse(format, Missing::Empty)?.render(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_are_looked_up_and_stay_out_of_json() {
        let row = json!({"Name": "web", "Label": {"a.b": "x"}, "Labels": "a.b=x"});
        let show = |format: &str| {
            let listing = Listing {
                columns: &[("Name", "NAME")],
                extra: &[("Label", "LABEL")],
                rows: vec![row.clone()],
            };
            listing.show(Some(format)).unwrap()
        };

        assert_eq!(show("{{.Label \"a.b\"}}{{.Label \"no\"}}."), "x.\n");
        assert_eq!(show("json"), "{\"Labels\":\"a.b=x\",\"Name\":\"web\"}\n");
    }
}
