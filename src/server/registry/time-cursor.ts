/** A place in a list from the newest to the oldest; what has one time is told apart by its id. */
export type TimePlace = { readonly at: Date; readonly id: string }

/** The place as the position of a cursor. */
export function timePosition(at: Date, id: string): string {
  return `${at.toISOString()} ${id}`
}

/** The place that `timePosition` wrote. */
export function timePlace(position: string): TimePlace {
  const [at = '', id = ''] = position.split(' ')
  return { at: new Date(at), id }
}
