import { problemSchema } from '../../../protocol/metadata.ts'

/** The refusals that every route of the admin API can answer (RFC 9457). */
export const problems = {
  400: problemSchema,
  401: problemSchema,
  403: problemSchema,
  404: problemSchema,
  409: problemSchema,
  422: problemSchema,
  429: problemSchema,
  503: problemSchema,
}
