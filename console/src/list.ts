/**
 * A list of the API, page by page. A page of a filtered list can be empty and have a next one, so pages follow until
 * rows fill a screen.
 */
import { infiniteQueryOptions, useInfiniteQuery } from '@tanstack/react-query';
import { useCallback, useEffect } from 'react';
import { skipTokenOf } from './api.ts';

const screenful = 40;

interface Page<T> {
  readonly value: readonly T[];
  readonly nextLink?: string;
}

/** The query of one page. */
export interface ListPage {
  readonly $top: number;
  readonly $skipToken?: string;
}

export interface List<P> {
  readonly key: readonly unknown[];
  readonly refetchInterval?: number;
  readonly read: (page: ListPage) => Promise<P>;
}

/** The query of a list: a view shows its result, and a click on the view's link starts it. */
export const listQuery = <T, P extends Page<T>>({ key, read, refetchInterval }: List<P>) =>
  infiniteQueryOptions({
    queryKey: key,
    queryFn: ({ pageParam }) => read({ $top: 100, ...(pageParam === undefined ? {} : { $skipToken: pageParam }) }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: P) => skipTokenOf(page.nextLink),
    ...(refetchInterval === undefined ? {} : { refetchInterval }),
  });

export function useList<T, P extends Page<T>>(list: List<P>) {
  const query = useInfiniteQuery(listQuery<T, P>(list));
  const { data, hasNextPage, isFetchingNextPage, fetchNextPage } = query;
  const rows: readonly T[] | undefined = data?.pages.flatMap(({ value }) => value);
  const count = rows?.length ?? 0;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  useEffect(() => {
    if (count < screenful) more();
  }, [count, more]);
  return { rows, first: data?.pages[0], error: query.error, refetch: query.refetch, more, isComplete: !hasNextPage };
}
