# lab(<name> [LINK <target>...] [SERIAL]) - build and test the lab in this
# folder. SERIAL: it touches global state, so nothing runs beside it; the
# runner knows by the file NAME.serial beside the program.
function(lab name)
	cmake_parse_arguments(PARSE_ARGV 1 arg "SERIAL" "" "LINK")
	add_library(${name}_lab OBJECT ${name}.c)
	target_link_libraries(${name}_lab PUBLIC common ${arg_LINK})

	add_executable(${name})
	target_link_libraries(${name} PRIVATE ${name}_lab lab_main)
	add_executable(${name}_test ${name}_test.c)
	target_link_libraries(${name}_test PRIVATE ${name}_lab test_main)

	set(serial ${CMAKE_CURRENT_BINARY_DIR}/${name}.serial)
	if(arg_SERIAL)
		file(TOUCH ${serial})
	else()
		file(REMOVE ${serial})
	endif()

	# About a missing note the runner has more to say.
	if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/note.md)
		# The note's topic is the label, so that ctest -L finds it too.
		file(STRINGS note.md topic REGEX "^topic: " LIMIT_COUNT 1)
		string(REGEX REPLACE "^topic: *" "" topic "${topic}")
		set_property(DIRECTORY APPEND PROPERTY
			CMAKE_CONFIGURE_DEPENDS note.md)
	else()
		message(WARNING "${CMAKE_CURRENT_SOURCE_DIR} has no note.md")
	endif()

	cmake_path(RELATIVE_PATH CMAKE_CURRENT_SOURCE_DIR
		BASE_DIRECTORY ${CMAKE_SOURCE_DIR} OUTPUT_VARIABLE path)
	add_test(NAME ${name}.run COMMAND runner --check ${path})
	add_test(NAME ${name}.check COMMAND ${name}_test)
	# Larger than the runner's own limits, a guest's among them: it is the
	# runner that ends a lab that hangs, and says why.
	set_tests_properties(${name}.run PROPERTIES TIMEOUT 900)
	set_tests_properties(${name}.run ${name}.check PROPERTIES
		SKIP_RETURN_CODE 77 LABELS "${topic};host"
		RUN_SERIAL ${arg_SERIAL})
	set_tests_properties(${name}.check PROPERTIES TIMEOUT 300)

	# A lab that plots: gnuplot draws what the demo prints.
	file(GLOB plot CONFIGURE_DEPENDS *.gp)
	if(plot)
		add_test(NAME ${name}.plot COMMAND
			${CMAKE_SOURCE_DIR}/ci/plot.sh $<TARGET_FILE:${name}>
			${plot} ${CMAKE_CURRENT_BINARY_DIR}/${name}.svg)
		set_tests_properties(${name}.plot PROPERTIES
			SKIP_RETURN_CODE 77 TIMEOUT 120 LABELS "${topic};plot")
	endif()
endfunction()
