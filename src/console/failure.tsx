import type { RequestFailed } from './api.ts'

/** A refusal in its own sentence, with the page that explains it. */
export function FailureNote({ failed, retry }: { failed: RequestFailed; retry?: () => void }) {
  return (
    <div class="note bad" role="alert">
      <p>
        {failed.message}
        {failed.retry_after > 0 && ` Asked again in ${failed.retry_after} s.`}
      </p>
      <p class="note-foot">
        {failed.code !== '' && <code>{failed.code}</code>}
        {failed.help !== '' && (
          <a href={failed.help} target="_blank" rel="noreferrer">
            What this means and how to mend it
          </a>
        )}
        {retry && (
          <button type="button" class="small" onClick={retry}>
            Try again
          </button>
        )}
      </p>
    </div>
  )
}
