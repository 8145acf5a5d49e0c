type Column = readonly [name: string, look?: 'wide' | 'number' | 'wide number']

/** The heads of a table: `wide` columns are left out where there is no room, `number` ones stand to the right. */
export function ColumnHeads({ columns }: { columns: readonly Column[] }) {
  return (
    <thead>
      <tr>
        {columns.map(([name, look]) => (
          <th key={name} scope="col" class={look}>
            {name}
          </th>
        ))}
      </tr>
    </thead>
  )
}
