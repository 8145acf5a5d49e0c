import type { ColumnType } from 'kysely'

/** jsonb: read as data, written as JSON text. */
export type Json<T> = ColumnType<T, string, string>
export type NullableJson<T> = ColumnType<T | null, string | null, string | null>
/** Null until something happens to the row: an insert may leave it out. */
export type Later<T> = ColumnType<T | null, T | null | undefined, T | null>
