/** Checksum of the files of the installed package, written in by its build; undefined where run from source. */
export const SHIM_CHECKSUM: string | undefined = undefined
