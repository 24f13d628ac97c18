select * from t where day = '{{ ds }}' and n > {{ params.count }} -- {{ var.value.plain }}
